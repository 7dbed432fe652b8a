import KVBlocks

/// The token field of a sequence or session file: how the tokens stand there, and what stands there besides them.
enum TokenField: Hashable, Sendable {
  /// A blob has none.
  case absent
  /// A plain list: one token a cell, then `trailing`, tokens not decoded yet.
  case plain(trailing: [Token])
  /// A plain list that is shorter than the cells: it counts this many.
  case short(count: Int)
  /// The server's own serialisation without media: -1, 1, n, n tokens, 0.
  case server(trailing: [Token])
  /// Anything else (media), kept as it was: it cannot be cut.
  case verbatim([Int32])

  private static let serverMark: [Int32] = [-1, 1]

  struct Reading {
    var field: TokenField
    /// The tokens of the cells, with placeholders where the field does not say.
    var tokens: [Token]
    var areKnown: Bool
  }

  /// What stands for a token that the file does not tell.
  static let placeholder: Token = -1

  /// Whether each token is one: engines put negative numbers where media stand, whatever these show.
  static func areAllTold(_ tokens: [Token]) -> Bool { tokens.allSatisfy { $0 >= 0 } }

  /// Reads the words of a token field for a state of `cellCount` cells.
  static func read(words: [Int32], cellCount: Int) -> Reading {
    guard words.starts(with: serverMark), words.count >= 4 else { return readPlain(words, cellCount: cellCount) }
    let count = Int(words[2])
    guard count >= 0, count <= words.count - 4 else { return readPlain(words, cellCount: cellCount) }
    let list = words[3..<3 + count]
    let mediaCount = words[3 + count]
    let isPlainServer = mediaCount == 0 && words.count == count + 4 && count >= cellCount
    if isPlainServer {
      return Reading(
        field: .server(trailing: Array(list.dropFirst(cellCount))), tokens: Array(list.prefix(cellCount)),
        areKnown: true)
    }
    // Media: the tokens do not tell what the rows were computed from.
    return Reading(field: .verbatim(words), tokens: padded(list, to: cellCount), areKnown: false)
  }

  private static func readPlain(_ words: [Int32], cellCount: Int) -> Reading {
    guard words.count >= cellCount else {
      return Reading(field: .short(count: words.count), tokens: padded(words[...], to: cellCount), areKnown: false)
    }
    return Reading(
      field: .plain(trailing: Array(words.dropFirst(cellCount))), tokens: Array(words.prefix(cellCount)), areKnown: true
    )
  }

  private static func padded(_ tokens: ArraySlice<Token>, to count: Int) -> [Token] {
    let known = tokens.prefix(count)
    return Array(known) + Array(repeating: placeholder, count: count - known.count)
  }

  /// The field's words for these tokens. `isWhole`: these are the very cells that were imported.
  func words(tokens: [Token], isWhole: Bool) -> [Int32] {
    switch self {
    case .absent: []
    case .plain(let trailing): tokens + (isWhole ? trailing : [])
    case .short(let count): Array(tokens.prefix(count))
    case .server(let trailing):
      Self.serverWords(tokens + (isWhole ? trailing : []))
    case .verbatim(let words): words
    }
  }

  private static func serverWords(_ tokens: [Token]) -> [Int32] {
    serverMark + [Int32(tokens.count)] + tokens + [0]
  }

  func encode(to encoder: inout OriginEncoder) {
    switch self {
    case .absent: encoder.unsigned(0)
    case .plain(let trailing):
      encoder.unsigned(1)
      encoder.tokens(trailing)
    case .short(let count):
      encoder.unsigned(2)
      encoder.unsigned(count)
    case .server(let trailing):
      encoder.unsigned(3)
      encoder.tokens(trailing)
    case .verbatim(let words):
      encoder.unsigned(4)
      encoder.tokens(words)
    }
  }

  init(from decoder: inout OriginDecoder) throws(StoreError) {
    switch try decoder.unsigned() {
    case 0: self = .absent
    case 1: self = .plain(trailing: try decoder.tokens(limit: StateLimit.tokenWordCount))
    case 2: self = .short(count: try decoder.unsigned(limit: StateLimit.tokenWordCount))
    case 3: self = .server(trailing: try decoder.tokens(limit: StateLimit.tokenWordCount))
    case 4: self = .verbatim(try decoder.tokens(limit: StateLimit.tokenWordCount))
    default: throw decoder.damage
    }
  }
}
