import KVBlocks

// Invariants:
// - `pieceEnds[i]` is where token i's bytes end in `pieces`; it never falls.

/// What a model's tokens say, from the tokenizer in its GGUF file: enough to read tokens, not to make them.
public struct TokenVocabulary: Sendable {
  /// "gpt2" or "llama", as the file calls its tokenizer.
  public let kind: String
  /// The model's own name; empty where the file tells none.
  public let modelName: String
  private let pieces: [UInt8]
  private let pieceEnds: [UInt32]

  /// Tokens that the model knows: 0 to one less.
  public var tokenCount: Int { pieceEnds.count }

  init(kind: String, modelName: String, pieces: [UInt8], pieceEnds: [UInt32]) {
    (self.kind, self.modelName, self.pieces, self.pieceEnds) = (kind, modelName, pieces, pieceEnds)
  }

  /// The token's bytes, perhaps a part of a character; nil for a token that the model does not know.
  public func bytes(of token: Token) -> ArraySlice<UInt8>? {
    guard token >= 0, Int(token) < pieceEnds.count else { return nil }
    return pieces[(token == 0 ? 0 : Int(pieceEnds[Int(token) - 1]))..<Int(pieceEnds[Int(token)])]
  }

  /// The text of tokens that follow one another; "[id]" for a token that the model does not know. A character that is
  /// cut at the first or last token is left out, since its other part lies before or after; bytes that are no character
  /// elsewhere become U+FFFD.
  public func text(of tokens: some Sequence<Token>) -> String {
    var bytes: [UInt8] = []
    for token in tokens {
      if let piece = self.bytes(of: token) { bytes += piece } else { bytes += Array("[\(token)]".utf8) }
    }
    func isContinuation(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }
    let first = bytes.prefix(3).firstIndex { !isContinuation($0) } ?? 0
    var end = bytes.count
    if let lead = bytes.suffix(3).lastIndex(where: { !isContinuation($0) }), lead >= first {
      let length = bytes[lead] >= 0xf0 ? 4 : bytes[lead] >= 0xe0 ? 3 : bytes[lead] >= 0xc0 ? 2 : 1
      if lead + length > end { end = lead }
    }
    return String(decoding: bytes[first..<max(first, end)], as: UTF8.self)
  }
}
