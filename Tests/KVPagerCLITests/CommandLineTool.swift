import Foundation
import Testing

/// The built command, run as a user does: in a process of its own.
struct CommandLineTool {
  struct Outcome {
    let status: Int32
    let output: [UInt8]
    let error: String

    var text: String { String(decoding: output, as: UTF8.self) }

    /// The answer as JSON.
    func json(_ location: SourceLocation = #_sourceLocation) throws -> Facts {
      let value = try JSONSerialization.jsonObject(with: Data(output))
      return Facts(try #require(value as? [String: Any], "an object", sourceLocation: location))
    }
  }

  static let path: String = {
    // The test bundle and the command are built into one folder.
    var folders = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
    folders += Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    folders.append(URL(fileURLWithPath: Repository.root).appendingPathComponent(".build/debug"))
    let candidates = folders.map { $0.appendingPathComponent("kvpager").path }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
  }()

  /// Runs `kvpager` with these arguments. Streams go to files, so that no pipe fills up.
  @discardableResult
  static func run(
    _ arguments: [String], environment: [String: String] = [:], expecting status: Int32? = 0,
    _ location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    try run(path, arguments, environment: environment, expecting: status, location)
  }

  /// Runs a line of shell in which `$KVPAGER` is the command.
  @discardableResult
  static func shell(
    _ line: String, expecting status: Int32? = 0, _ location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    try run("/bin/sh", ["-c", line], environment: ["KVPAGER": path], expecting: status, location)
  }

  private static func run(
    _ executable: String, _ arguments: [String], environment: [String: String], expecting status: Int32?,
    _ location: SourceLocation
  ) throws -> Outcome {
    let folder = try Folder()
    let outputURL = URL(fileURLWithPath: folder.file("out"))
    let errorURL = URL(fileURLWithPath: folder.file("error"))
    for url in [outputURL, errorURL] { try Data().write(to: url) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables["KVPAGER_STORE"] = nil
    variables.merge(environment) { $1 }
    process.environment = variables
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: outputURL)
    process.standardError = try FileHandle(forWritingTo: errorURL)
    try process.run()
    process.waitUntilExit()
    let outcome = Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: Array(try Data(contentsOf: outputURL)),
      error: String(decoding: try Data(contentsOf: errorURL), as: UTF8.self))
    if let status {
      let line = arguments.joined(separator: " ")
      #expect(outcome.status == status, "\(line): \(outcome.error)", sourceLocation: location)
    }
    return outcome
  }
}

/// An answer in JSON, read by path: `facts.integer("bytes", "disk")`.
struct Facts {
  let members: [String: Any]

  init(_ members: [String: Any]) { self.members = members }

  private func value(_ path: [String]) -> Any? {
    var value: Any? = members
    for name in path { value = (value as? [String: Any])?[name] }
    return value
  }

  func integer(_ path: String..., at location: SourceLocation = #_sourceLocation) throws -> Int {
    try #require(value(path) as? Int, "an integer at \(path) in \(members)", sourceLocation: location)
  }

  func text(_ path: String..., at location: SourceLocation = #_sourceLocation) throws -> String {
    try #require(value(path) as? String, "a text at \(path) in \(members)", sourceLocation: location)
  }

  func flag(_ path: String..., at location: SourceLocation = #_sourceLocation) throws -> Bool {
    try #require(value(path) as? Bool, "a flag at \(path) in \(members)", sourceLocation: location)
  }

  func list(_ path: String..., at location: SourceLocation = #_sourceLocation) throws -> [Facts] {
    let list = try #require(
      value(path) as? [[String: Any]], "a list at \(path) in \(members)", sourceLocation: location)
    return list.map { Facts($0) }
  }

  func isNull(_ path: String...) -> Bool { value(path) is NSNull }
}

/// The repository that the tests were built from.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
}

/// The real files in data/samples.
enum Samples {
  static let all = [
    long, "smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq", "smollm2-135m_48tok_bf16_fa.v4.ggsq", quantized,
    "smollm2-135m_48tok_f16_fa.v3.ggsq", "smollm2-135m_16tok_f16_fa_2streams_seq1.v4.ggsq", safetensors,
  ]
  static let long = "smollm2-135m_512tok_f16_fa.v4.ggsq"
  static let quantized = "smollm2-135m_48tok_q8_0_fa.v4.ggsq"
  static let safetensors = "smollm2-135m_512tok_f16.safetensors"

  static func path(_ name: String) -> String { "\(Repository.root)/data/samples/\(name)" }
  static func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
}

/// A folder of one test's own, gone with the value.
final class Folder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-cli-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  var store: String { file("store") }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file(name))) }
  func write(_ bytes: Data, to name: String) throws { try bytes.write(to: URL(fileURLWithPath: file(name))) }
  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }
  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }

  /// Imports a sample into the folder's store.
  @discardableResult
  func importSample(_ name: String, as session: String, _ more: String...) throws -> Facts {
    try CommandLineTool.run(
      ["import", Samples.path(name), "--store", store, "--session", session, "--json"] + more
    ).json()
  }
}
