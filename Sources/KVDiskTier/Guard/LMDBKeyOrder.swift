#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Watches the keys of one table, given from the first to the last with the separators of branch pages between, and
/// says whether LMDB's search finds each of them.
///
/// A separator is greater than every key to its left and no greater than any to its right.
// Invariants: `lastKey` is the key or separator admitted last; integer keys all have `integerByteCount` bytes.
struct LMDBKeyOrder {
  private let areIntegers: Bool
  private var integerByteCount: Int?
  private var lastKey: [UInt8] = []
  private var hasLastKey = false
  private var lastIsSeparator = false

  init(areIntegers: Bool) {
    self.areIntegers = areIntegers
    lastKey.reserveCapacity(LMDBFormat.keyByteCountLimit)
  }

  /// What is wrong with the next key or separator, nil where nothing is.
  mutating func admit(_ key: UnsafeRawBufferPointer, isSeparator: Bool) -> String? {
    if areIntegers {
      guard key.count == integerByteCount ?? key.count, key.count == 4 || key.count == 8 else {
        return "an integer key of \(key.count) bytes"
      }
      integerByteCount = key.count
    }
    if hasLastKey {
      let order = lastKey.withUnsafeBytes { compare($0, key) }
      guard order < 0 || (order == 0 && lastIsSeparator && !isSeparator) else {
        return isSeparator ? "a separator out of order" : "a key out of order"
      }
    }
    lastKey.removeAll(keepingCapacity: true)
    lastKey.append(contentsOf: key)
    hasLastKey = true
    lastIsSeparator = isSeparator
    return nil
  }

  private func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    if areIntegers {
      let (x, y) = (integer(a), integer(b))
      return x < y ? -1 : (x == y ? 0 : 1)
    }
    let common = min(a.count, b.count)
    if common > 0 {
      let order = memcmp(a.baseAddress!, b.baseAddress!, common)
      if order != 0 { return Int(order) }
    }
    return a.count - b.count
  }

  private func integer(_ key: UnsafeRawBufferPointer) -> UInt64 {
    key.count == 8 ? key.loadUnaligned(as: UInt64.self) : UInt64(key.loadUnaligned(as: UInt32.self))
  }
}
