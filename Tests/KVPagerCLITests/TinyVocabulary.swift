import Foundation

/// A GGUF file whose token `n` says " n" as a word, written byte by byte; token 150 says a line end, 151 is a control
/// token that would colour a terminal.
enum TinyVocabulary {
  static func write(to path: String) throws {
    func number(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    func text(_ text: String) -> [UInt8] { number(UInt64(text.utf8.count)) + Array(text.utf8) }
    let count = 1000
    var tokens = (0..<count).map { "Ġ\($0)" }
    tokens[150] = "Ċ"
    tokens[151] = "\u{1B}[31mred\u{202E}"
    var types = [Int32](repeating: 1, count: count)
    types[151] = 3
    var bytes = Array("GGUF".utf8) + number(UInt32(3)) + number(UInt64(0)) + number(UInt64(3))
    bytes += text("tokenizer.ggml.model") + number(UInt32(8)) + text("gpt2")
    bytes += text("tokenizer.ggml.tokens") + number(UInt32(9)) + number(UInt32(8)) + number(UInt64(count))
    bytes += tokens.flatMap { text($0) }
    bytes += text("tokenizer.ggml.token_type") + number(UInt32(9)) + number(UInt32(5)) + number(UInt64(count))
    bytes += types.flatMap { number($0) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }
}
