import KVBlocks

/// A GGUF file of metadata alone, byte by byte.
struct GGUFBuilder {
  private var pairs: [UInt8] = []
  private var pairCount = 0

  private static func number(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func text(_ bytes: [UInt8]) -> [UInt8] { number(UInt64(bytes.count)) + bytes }

  private mutating func add(_ key: String, _ type: UInt32, _ value: [UInt8]) {
    pairs += Self.text(Array(key.utf8)) + Self.number(type) + value
    pairCount += 1
  }

  mutating func add(_ key: String, _ value: String) { add(key, 8, Self.text(Array(value.utf8))) }
  mutating func add(_ key: String, _ value: Float) { add(key, 6, Self.number(value.bitPattern)) }
  mutating func add(_ key: String, _ value: Bool) { add(key, 7, [value ? 1 : 0]) }

  mutating func add(_ key: String, _ values: [String]) {
    add(
      key, 9, Self.number(UInt32(8)) + Self.number(UInt64(values.count)) + values.flatMap { Self.text(Array($0.utf8)) })
  }

  mutating func add(_ key: String, _ values: [Int32]) {
    add(key, 9, Self.number(UInt32(5)) + Self.number(UInt64(values.count)) + values.flatMap { Self.number($0) })
  }

  /// An array of arrays of bytes.
  mutating func add(_ key: String, nested: [[UInt8]]) {
    let elements = nested.flatMap { Self.number(UInt32(0)) + Self.number(UInt64($0.count)) + $0 }
    add(key, 9, Self.number(UInt32(9)) + Self.number(UInt64(nested.count)) + elements)
  }

  func bytes(version: UInt32 = 3) -> [UInt8] {
    Array("GGUF".utf8) + Self.number(version) + Self.number(UInt64(0)) + Self.number(UInt64(pairCount)) + pairs
  }

  /// Byte pairs: "Hello", " world", an umlaut in two halves, a line end, a control token, one of the user's.
  static var bytePairs: GGUFBuilder {
    var file = GGUFBuilder()
    file.add("general.architecture", "llama")
    file.add("general.name", "Tiny")
    file.add("llama.rope.freq_base", Float(10_000))
    file.add("tokenizer.ggml.model", "gpt2")
    file.add("tokenizer.ggml.tokens", ["Hello", "Ġworld", "Ã", "¼", "Ċ", "<|end|>", "Ġ raw"])
    file.add("tokenizer.ggml.token_type", [1, 1, 1, 1, 1, 3, 4])
    file.add("tokenizer.ggml.merges", ["H e", "l l"])
    file.add("tokenizer.ggml.add_bos_token", false)
    file.add("some.lists", nested: [[1, 2], []])
    return file
  }

  /// SentencePiece: blanks as low lines, bytes, control tokens.
  static var sentencePieces: GGUFBuilder {
    var file = GGUFBuilder()
    // The types may stand before the model.
    file.add("tokenizer.ggml.token_type", [2, 3, 3, 6, 6, 6, 1, 1])
    file.add("tokenizer.ggml.tokens", ["<unk>", "<s>", "</s>", "<0x0A>", "<0xE2>", "<0x82>", "▁Hello▁▁x", "<0x41>"])
    file.add("tokenizer.ggml.model", "llama")
    return file
  }
}
