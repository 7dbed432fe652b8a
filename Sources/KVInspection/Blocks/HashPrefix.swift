import KVBlocks

/// The first digits of a block's hash, as people write them.
package struct HashPrefix: Hashable, Sendable, CustomStringConvertible {
  /// 1 to 64 hexadecimal digits, small letters.
  package let description: String
  /// The least and the greatest hash that begin so.
  package let least: BlockHash
  package let greatest: BlockHash

  package var isWhole: Bool { description.utf8.count == 2 * BlockHash.byteCount }
  package var digitCount: Int { description.utf8.count }

  /// Nil for what is no 1 to 64 hexadecimal digits.
  package init?(_ text: String) {
    let digits = text.lowercased()
    guard (1...2 * BlockHash.byteCount).contains(digits.utf8.count) else { return nil }
    func filled(with digit: String) -> BlockHash? {
      BlockHash(hex: digits + String(repeating: digit, count: 2 * BlockHash.byteCount - digits.utf8.count))
    }
    guard let least = filled(with: "0"), let greatest = filled(with: "f") else { return nil }
    (description, self.least, self.greatest) = (digits, least, greatest)
  }

  package func matches(_ hash: BlockHash) -> Bool { !hash.precedes(least) && !greatest.precedes(hash) }
}

extension BlockHash {
  /// The order of their bytes.
  func precedes(_ other: BlockHash) -> Bool {
    func numbers(_ hash: BlockHash) -> (UInt64, UInt64, UInt64, UInt64) {
      let words = hash.words
      return (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    }
    return numbers(self) < numbers(other)
  }
}
