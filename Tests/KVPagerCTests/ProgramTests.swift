import Foundation
import KVSimulation
import Testing

/// What a C compiler makes of the header, and of a program that drives all of it.
@Suite struct `The header and a program in C` {
  static let include = "\(Fixture.root)/Sources/CKVPager/include"

  /// The folder of the built library: the test bundle's too.
  static let libraryPath: String? = {
    var folders = [URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()]
    folders += Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    folders.append(URL(filePath: Fixture.root).appending(path: ".build/debug"))
    let candidates = folders.flatMap { folder in
      ["so", "dylib"].map { folder.appending(path: "libKVPagerC.\($0)").path }
    }
    return candidates.first { FileManager.default.fileExists(atPath: $0) }
  }()

  private func run(_ executable: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  @Test(arguments: [["-std=c99", "-xc"], ["-std=c11", "-xc"], ["-std=c++11", "-xc++"], ["-std=c++20", "-xc++"]])
  func `the header compiles without a warning`(language: [String]) throws {
    let source = TemporaryFile(#"#include "kvpager.h""# + "\nint main(void) { return kvpager_abi_version(); }\n")
    let (status, output) = try run(
      "/usr/bin/env",
      ["cc"] + language + [
        "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", Self.include, source.path,
      ])
    #expect(status == 0 && output.isEmpty, "\(output)")
  }

  // A program built without the sanitizer cannot carry a library built with it.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["KVPAGER_SANITIZER"] == nil))
  func `a program in C drives every function`() throws {
    let library = try #require(Self.libraryPath)
    let work = try FileManager.default.url(
      for: .itemReplacementDirectory, in: .userDomainMask, appropriateFor: URL(filePath: "/tmp"), create: true
    ).path
    defer { try? FileManager.default.removeItem(atPath: work) }
    let sources = "\(Fixture.root)/Tests/KVPagerCTests/Program"
    let files = try FileManager.default.contentsOfDirectory(atPath: sources).filter { $0.hasSuffix(".c") }.sorted()
    let build = try run(
      "/usr/bin/env",
      ["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-I", Self.include]
        + files.map { "\(sources)/\($0)" }
        + [library, "-Wl,-rpath,\(URL(filePath: library).deletingLastPathComponent().path)", "-lpthread"]
        + ["-o", "\(work)/drive"])
    #expect(build.status == 0, "\(build.output)")
    try FileManager.default.createDirectory(atPath: "\(work)/stores", withIntermediateDirectories: false)
    let outcome = try run("\(work)/drive", ["\(Fixture.root)/data/samples", "\(work)/stores"])
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(outcome.output.contains(/^\d{4,} checks passed\n$/), "\(outcome.output)")
  }

  @Test func `the program calls every function of the header`() throws {
    let header = try String(contentsOfFile: "\(Self.include)/kvpager.h", encoding: .utf8)
    let sources = "\(Fixture.root)/Tests/KVPagerCTests/Program"
    let program = try FileManager.default.contentsOfDirectory(atPath: sources).map {
      try String(contentsOfFile: "\(sources)/\($0)", encoding: .utf8)
    }.joined()
    let functions = header.matches(of: /\n(?:kvpager_status|int32_t|void|const char \*) ?(kvpager_\w+)\(/).map(\.1)
    #expect(functions.count > 50)
    for function in functions { #expect(program.contains("\(function)("), "\(function)") }
  }
}

/// A file of some text, gone with the value.
private final class TemporaryFile {
  let path = "/tmp/kvpager-test-\(UUID().uuidString)"

  init(_ text: String) { _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) }

  deinit { unlink(path) }
}
