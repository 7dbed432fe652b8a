import Foundation
import Testing

/// What the command says of the store in data/golden/inspected-v1, word for word: the answers lie beside it.
///
/// KVPAGER_UPDATE_GOLDEN=1 writes the answers anew; look at the difference before you keep them.
enum GoldenAnswer {
  static let folder = "\(Repository.root)/data/golden/inspected-v1"

  /// A copy of the store, which a reader may lay its lock file beside.
  static func store() throws -> Folder {
    let folder = try Folder()
    try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: false)
    try FileManager.default.copyItem(atPath: "\(self.folder)/data.mdb", toPath: "\(folder.store)/data.mdb")
    return folder
  }

  /// Holds the answer of `kvpager ARGUMENTS --store store` to the file `name` among the answers.
  /// - Parameter asksStore: false for commands that name their stores otherwise.
  static func expect(
    _ name: String, _ arguments: [String], asksStore: Bool = true, status: Int32 = 0, in given: Folder? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try given ?? store()
    let quoted = arguments.map { "'\($0)'" }.joined(separator: " ")
    let line =
      "cd '\(folder.path)' && TZ=UTC LC_ALL=C KVPAGER_NOW=1795500000 exec \"$KVPAGER\" \(quoted)"
      + (asksStore ? " --store store" : "")
    let answer = try CommandLineTool.shell(line, expecting: status, location).text
    let file = "\(self.folder)/answers/\(name)"
    if ProcessInfo.processInfo.environment["KVPAGER_UPDATE_GOLDEN"] != nil {
      try Data(answer.utf8).write(to: URL(fileURLWithPath: file))
    }
    let wanted = try String(contentsOfFile: file, encoding: .utf8)
    #expect(answer == wanted, "\(name): kvpager \(quoted) says\n\(answer)", sourceLocation: location)
  }
}
