import Foundation
import Testing

@testable import KVDiskTier

/// A sample of the matrix through the command itself, in processes of their own.
@Suite struct `damaged stores through the command` {
  private struct Outcome {
    let status: Int32
    let output: Data
    let error: String

    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: output)) as? [String: Any] ?? [:] }
  }

  private static let command: String = {
    var folders = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
    folders += Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    folders.append(root.appendingPathComponent(".build/debug"))
    let candidates = folders.map { $0.appendingPathComponent("kvpager").path }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
  }()

  private func run(_ folder: ScratchFolder, _ arguments: [String]) throws -> Outcome {
    let output = URL(fileURLWithPath: "\(folder.path)/out")
    let error = URL(fileURLWithPath: "\(folder.path)/error")
    for url in [output, error] { try Data().write(to: url) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.command)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: error)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try Data(contentsOf: output), error: String(decoding: try Data(contentsOf: error), as: UTF8.self))
  }

  @Test(arguments: DamageList.Group.allCases)
  func `the commands answer or refuse in words, and salvage brings back what is whole`(
    _ group: DamageList.Group
  ) throws {
    let folder = ScratchFolder()
    let fields = Matrix.shared.fields
    let all = DamageList(fields: fields).damages(group)
    for (number, index) in [all.count / 3, 2 * all.count / 3].enumerated() {
      let damage = all[index]
      var bytes = WholeStore.shared.bytes
      damage.change(&bytes)
      let expectation = Expectation(bytes, fields, .shared)
      let path = try folder.store(bytes)
      let commands = [["info"], ["stats"], ["sessions"], ["tree"], ["blocks", "--json"], ["session", "long"]]
      for arguments in number == 0 ? commands : [["info", "--json"], ["stats", "--json"]] {
        let outcome = try run(folder, arguments + ["--store", path])
        #expect((0...1).contains(outcome.status), "\(damage.name): \(arguments): \(outcome.status) \(outcome.error)")
        #expect(!outcome.output.isEmpty || outcome.error.hasPrefix("kvpager: "), "\(damage.name): \(arguments)")
      }
      let verdict = try run(folder, ["verify", "--deep", "--json", "--store", path])
      #expect((0...1).contains(verdict.status), "\(damage.name): verify: \(verdict.status) \(verdict.error)")
      if expectation.isFindable, !damage.mayGoBack { #expect(verdict.status == 1, "\(damage.name)") }
      if expectation.isHarmless { #expect(verdict.status == 0, "\(damage.name): \(verdict.error)") }
      let new = "\(folder.path)/new-\(number)"
      let salvage = try run(folder, ["salvage", path, new, "--json"])
      #expect((0...1).contains(salvage.status), "\(damage.name): salvage: \(salvage.status) \(salvage.error)")
      let list = (salvage.json["sessions"] as? [String: Any])?["list"] as? [[String: Any]] ?? []
      let whole = Set(list.filter { $0["state"] as? String == "whole" }.compactMap { $0["name"] as? String })
      #expect(whole.isSuperset(of: expectation.wholeSessions.map(\.name)), "\(damage.name): \(whole)")
      if salvage.json["written"] as? Bool == true {
        #expect(try run(folder, ["verify", "--deep", "--store", new]).status == 0, "\(damage.name)")
      }
    }
  }
}
