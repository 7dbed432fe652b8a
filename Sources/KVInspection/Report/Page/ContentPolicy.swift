import KVBlocks

/// What a page may do, as its Content-Security-Policy says: run exactly its own scripts and styles, named by their
/// digests, and load nothing from anywhere.
enum ContentPolicy {
  static func text(styles: [String], scripts: [String]) -> String {
    func sources(_ texts: [String]) -> String {
      texts.isEmpty ? "'none'" : texts.map { "'sha256-\(base64(digest(of: $0)))'" }.joined(separator: " ")
    }
    return "default-src 'none'; script-src \(sources(scripts)); style-src \(sources(styles)); img-src data:; "
      + "base-uri 'none'; form-action 'none'"
  }

  static func digest(of text: String) -> [UInt8] {
    var digest = RowDigest()
    var text = text
    text.withUTF8 { digest.update(UnsafeRawBufferPointer($0)) }
    return digest.finalize().bytes
  }

  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      var digits: [UInt8] = []
      for index in 0..<4 {
        digits.insert(index < 3 - group.count ? UInt8(ascii: "=") : alphabet[word & 63], at: 0)
        word >>= 6
      }
      text += digits
    }
    return String(decoding: text, as: UTF8.self)
  }
}
