import Foundation
import KVPager
import KVSimulation

/// Stands for an engine: rows follow from the tokens computed so far, and rows taken back can be held against them.
final class GuideEngine {
  let functions: RowFunction
  var tokens: [Token] = []
  var position = 0 { didSet { tokens.removeLast(max(0, tokens.count - position)) } }
  var attended: Set<[Int]> = []
  let recurrentState: [UInt8] = [1, 2, 3]
  private var memories: [UnsafeMutableRawBufferPointer] = []

  init(layout: BlockLayout) { functions = RowFunction(layout: layout) }
  deinit { for memory in memories { memory.deallocate() } }

  func compute(_ more: [Token]) {
    tokens += more
    position = tokens.count
  }

  func copyRows(ofPlane plane: Int, _ positions: Range<Int>, into memory: UnsafeMutableRawBufferPointer) {
    functions.fill(memory, plane: plane, states: functions.states(of: tokens)[positions])
  }

  func memory(ofPlane plane: Int, rowCount: Int) -> UnsafeMutableRawBufferPointer {
    let byteCount = rowCount * functions.layout.planes[plane].rowByteCount
    memories.append(.allocate(byteCount: byteCount, alignment: 64))
    return memories[memories.count - 1]
  }

  func attend(to rows: RawSpan, plane: Int, _ positions: Range<Int>) {
    let states = functions.states(of: tokens)[positions]
    if rows.withUnsafeBytes({ functions.matches($0, plane: plane, states: states) }) {
      attended.insert([plane, positions.lowerBound])
    }
  }

  /// Whether the memories last given out hold the rows of `tokens`, and forgets them.
  func took(_ tokens: [Token]) -> Bool {
    defer {
      for memory in memories { memory.deallocate() }
      memories = []
    }
    let states = functions.states(of: tokens)[...]
    return memories.count == functions.layout.planes.count
      && memories.enumerated().allSatisfy {
        functions.matches(UnsafeRawBufferPointer($0.element), plane: $0.offset, states: states)
      }
  }
}

struct GuideModel {
  let layerCount = 2
  let rowByteCount = 64
  let weightsDigest = "sha256:0123"
}

/// The repository's files, for tests that hold text to code.
enum GuideText {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The pieces of code between the marks of a guide, without their indentation.
  static func code(markedAs guide: String, inFile path: String) throws -> [String] {
    var pieces: [[Substring]] = []
    var isInside = false
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      switch line.drop(while: { $0 == " " }) {
      case "// <\(guide)>":
        isInside = true
        pieces.append([])
      case "// </\(guide)>": isInside = false
      default: if isInside { pieces[pieces.count - 1].append(line) }
      }
    }
    return pieces.map { piece in
      let indentation = piece.first?.prefix { $0 == " " }.count ?? 0
      return piece.map { $0.dropFirst(indentation) + "\n" }.joined()
    }
  }
}
