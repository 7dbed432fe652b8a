import Foundation

/// The files of the repository: those that git knows, or would take, or all but build products where there is no git.
struct Repository: Sendable {
  struct Entry: Sendable {
    let path: String
    let byteCount: Int
  }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  let entries: [Entry]
  let files: [SourceFile]
  /// What git has in its index; nil where there is no git.
  let trackedPaths: [String]?

  init() throws {
    trackedPaths = Self.git(["ls-files"])
    let paths = Self.git(["ls-files", "--cached", "--others", "--exclude-standard"]) ?? Self.walk()
    entries = Set(paths).sorted().compactMap { path in
      let attributes = try? FileManager.default.attributesOfItem(atPath: Self.root.appending(path: path).path)
      return (attributes?[.size] as? Int).map { Entry(path: path, byteCount: $0) }
    }
    files = entries.compactMap { entry in
      guard Self.isText(entry.path), let data = try? Data(contentsOf: Self.root.appending(path: entry.path)) else {
        return nil
      }
      return SourceFile(path: entry.path, text: String(decoding: data, as: UTF8.self))
    }
  }

  private static func isText(_ path: String) -> Bool {
    if path.hasPrefix("data/") { return path.hasSuffix(".md") }
    let name = path.split(separator: "/").last ?? ""
    return !name.contains(".") || path.contains(/\.(?:swift|c|h|inc|py|sh|md|txt|modulemap|toml|yml|yaml)$/)
  }

  private static func git(_ arguments: [String]) -> [String]? {
    guard FileManager.default.fileExists(atPath: root.appending(path: ".git").path) else { return nil }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["git", "-c", "core.quotePath=false", "-C", root.path] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private static func walk() -> [String] {
    let found = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return found.filter { !$0.contains(/(?:^|\/)(?:\.build|\.git|\.swiftpm|__pycache__)/) }
  }
}

/// What must hold for the repository as a whole.
enum RepositoryRules {
  static let fileByteLimit = 16 << 20
  static let dataByteLimit = 40 << 20

  static func sizes(of entries: [Repository.Entry]) -> [Violation] {
    var found = entries.filter { $0.byteCount > fileByteLimit }.map {
      Violation(path: $0.path, line: 0, message: "\($0.byteCount) bytes, \(fileByteLimit) at most")
    }
    let dataByteCount = entries.filter { $0.path.hasPrefix("data/") }.reduce(0) { $0 + $1.byteCount }
    if dataByteCount > dataByteLimit {
      found.append(Violation(path: "data", line: 0, message: "\(dataByteCount) bytes, \(dataByteLimit) at most"))
    }
    return found
  }

  static func buildProducts(among trackedPaths: [String]) -> [Violation] {
    trackedPaths.filter { $0.contains(/(?:^|\/)(?:Package\.resolved$|\.build[^\/]*\/|\.swiftpm\/|__pycache__\/)/) }.map
    {
      Violation(path: $0, line: 0, message: "must not be committed")
    }
  }

  /// Files and folders of one place whose names differ by case only are one on many file systems.
  static func caseTwins(among paths: [String]) -> [Violation] {
    var seen: [String: String] = [:]
    var found: Set<Violation> = []
    for path in paths {
      let parts = path.split(separator: "/")
      for count in parts.indices.map({ $0 + 1 }) {
        let place = parts.prefix(count).joined(separator: "/")
        let first = seen[place.lowercased(), default: place]
        seen[place.lowercased()] = first
        if first != place {
          found.insert(Violation(path: place, line: 0, message: "differs from \(first) by case only"))
        }
      }
    }
    return found.sorted { $0.path < $1.path }
  }
}
