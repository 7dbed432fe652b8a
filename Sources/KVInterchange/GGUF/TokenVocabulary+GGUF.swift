import KVBlocks

extension TokenVocabulary {
  /// A tokenizer's key in the metadata, and what it says of it.
  private enum Key {
    static let model = "tokenizer.ggml.model"
    static let tokens = "tokenizer.ggml.tokens"
    static let types = "tokenizer.ggml.token_type"
    static let name = "general.name"
  }

  /// What a token is, by its number in the file.
  private enum TokenType {
    static let normal: Int32 = 1
    static let byte: Int32 = 6
  }

  public static let tokenCountLimit = 1 << 22
  fileprivate static let tokenByteCountLimit = 1 << 16

  /// Reads the tokenizer from a GGUF file's metadata. No tensor is read, and nothing is allocated that the file's own
  /// size does not vouch for.
  /// - Throws: ``FormatError`` for what is no GGUF file of version 2 or 3, or has no tokenizer of a kind that is known.
  public init(gguf source: ByteSource) throws(FormatError) {
    let metadata = try GGUFMetadata(source)
    let reader = metadata.reader
    var (kind, name): (String?, String) = (nil, "")
    var raw = RawTokens()
    var types: [Int32] = []
    try metadata.forEach { (key, type) throws(FormatError) in
      switch (key, type) {
      case (Key.model, .string):
        kind = String(decoding: try metadata.text("\"\(key)\"", limit: 256), as: UTF8.self)
      case (Key.name, .string):
        name = String(decoding: try metadata.text("\"\(key)\"", limit: Self.tokenByteCountLimit), as: UTF8.self)
      case (Key.tokens, .array): raw = try RawTokens(metadata, key)
      case (Key.types, .array): types = try Self.types(metadata, key)
      default: return false
      }
      return true
    }
    guard let kind else {
      throw FormatError("the model has no tokenizer: \"\(Key.model)\" is missing", offset: reader.offset)
    }
    guard raw.count > 0 else {
      throw FormatError("the tokenizer has no tokens: \"\(Key.tokens)\" is missing", offset: reader.offset)
    }
    guard types.isEmpty || types.count == raw.count else {
      throw FormatError("\(raw.count) tokens and \(types.count) token types", offset: reader.offset)
    }
    guard kind == "gpt2" || kind == "llama" else {
      throw FormatError(
        "a tokenizer of kind \"\(kind)\"; \"gpt2\" (byte pairs) and \"llama\" (SentencePiece) are read",
        offset: reader.offset)
    }
    let (pieces, ends) = raw.pieces { token, index in
      let type = types.isEmpty ? TokenType.normal : types[index]
      return kind == "gpt2" ? Self.bytePairPiece(token, type) : Self.sentencePiece(token, type)
    }
    self.init(kind: kind, modelName: name, pieces: pieces, pieceEnds: ends)
  }

  private static func types(_ metadata: GGUFMetadata, _ key: String) throws(FormatError) -> [Int32] {
    let start = metadata.reader.offset
    let (type, count) = try metadata.arrayHead(key)
    guard type == .i32 || type == .u32, count <= tokenCountLimit else {
      throw FormatError("\"\(key)\" is no list of at most \(tokenCountLimit) 32-bit numbers", offset: start)
    }
    return try metadata.reader.words(count, "\"\(key)\"")
  }

  /// Tokens as the file spells them, in one buffer.
  private struct RawTokens {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    init() {}

    init(_ metadata: GGUFMetadata, _ key: String) throws(FormatError) {
      let start = metadata.reader.offset
      let (type, count) = try metadata.arrayHead(key)
      guard type == .string, count <= tokenCountLimit else {
        throw FormatError("\"\(key)\" is no list of at most \(tokenCountLimit) texts", offset: start)
      }
      ends.reserveCapacity(count)
      for index in 0..<count {
        bytes += try metadata.text("token \(index)", limit: TokenVocabulary.tokenByteCountLimit)
        guard bytes.count <= Int(UInt32.max) else {
          throw FormatError("the tokens' texts are longer than 4 GiB", offset: metadata.reader.offset)
        }
        ends.append(bytes.count)
      }
    }

    /// What the tokens say, one after the other, and where each ends. A piece is never longer than its spelling.
    func pieces(_ piece: (ArraySlice<UInt8>, Int) -> [UInt8]?) -> (bytes: [UInt8], ends: [UInt32]) {
      var pieces: [UInt8] = []
      var pieceEnds: [UInt32] = []
      pieces.reserveCapacity(bytes.count)
      pieceEnds.reserveCapacity(ends.count)
      var start = 0
      for (index, end) in ends.enumerated() {
        let spelling = bytes[start..<end]
        if let said = piece(spelling, index) { pieces += said } else { pieces += spelling }
        pieceEnds.append(UInt32(pieces.count))
        start = end
      }
      return (pieces, pieceEnds)
    }
  }

  /// GPT-2 spells each byte as a visible character; control tokens stand as they are.
  private static func bytePairPiece(_ spelling: ArraySlice<UInt8>, _ type: Int32) -> [UInt8]? {
    guard type == TokenType.normal, let text = String(validating: spelling, as: UTF8.self) else { return nil }
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      guard let byte = byte(spelledAs: scalar) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// Printable characters of Latin-1 stand for themselves, the other bytes, in their order, for U+0100 and on.
  private static func byte(spelledAs scalar: Unicode.Scalar) -> UInt8? {
    switch scalar.value {
    case 0x21...0x7e, 0xa1...0xac, 0xae...0xff: UInt8(scalar.value)
    case 0x100...0x120: UInt8(scalar.value - 0x100)  // 0x00...0x20
    case 0x121...0x142: UInt8(scalar.value - 0x121 + 0x7f)  // 0x7f...0xa0
    case 0x143: 0xad
    default: nil
    }
  }

  /// SentencePiece spells a blank as a low line (U+2581), and single bytes as "<0x0A>"; control tokens stand as they
  /// are.
  private static func sentencePiece(_ spelling: ArraySlice<UInt8>, _ type: Int32) -> [UInt8]? {
    if type == TokenType.byte {
      let digits = spelling.dropFirst(3).dropLast()
      guard spelling.count == 6, spelling.starts(with: Array("<0x".utf8)), spelling.last == UInt8(ascii: ">"),
        let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      else { return nil }
      return [byte]
    }
    guard type == TokenType.normal else { return nil }
    var bytes: [UInt8] = []
    var index = spelling.startIndex
    while index < spelling.endIndex {
      if spelling[index...].starts(with: [0xe2, 0x96, 0x81]) {
        bytes.append(UInt8(ascii: " "))
        index += 3
      } else {
        bytes.append(spelling[index])
        index += 1
      }
    }
    return bytes
  }
}
