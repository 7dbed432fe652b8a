import KVBlocks
import KVCodec

/// Records in leaf pages, found without the pages: a page half of which was wiped still holds whole nodes in the other
/// half.
extension RawStoreScan {
  private static let spaceKeyByteCount: UInt16 = 4
  private static let blockKeyByteCount = UInt16(Keys.blockByteCount)
  /// Record's versions and flags tell most chance finds from records before a checksum is computed.
  private static let flagLimit: UInt16 = 1
  static let blockRecordCountLimit = 1 << 25

  /// Nodes whose keys are as long as those of spaces or blocks.
  mutating func findNodes(_ window: RawWindow) {
    var place = window.lead + LMDBNode.keyByteCountOffset
    let end = window.end + LMDBNode.keyByteCountOffset
    while let found = ByteSearch.firstWord(
      Self.spaceKeyByteCount, or: Self.blockKeyByteCount, in: window.bytes, from: place), found < end
    {
      place = found + 2
      let start = found - LMDBNode.keyByteCountOffset
      guard start + LMDBFormat.nodeHeaderByteCount <= window.bytes.count else { return }
      let node = LMDBNode(window.bytes, at: start)
      guard node.flags & ~LMDBFormat.NodeFlags.overflow == 0, node.valueByteCount < Self.readByteCount else { continue }
      if node.isOverflow {
        noteSpaceElsewhere(node, window)
      } else if node.valueOffset + node.valueByteCount <= window.bytes.count, node.valueByteCount >= 2 * 2 + 8 {
        noteValue(node, window)
      }
    }
  }

  private mutating func noteValue(_ node: LMDBNode, _ window: RawWindow) {
    let value = UnsafeRawBufferPointer(
      rebasing: window.bytes[node.valueOffset..<node.valueOffset + node.valueByteCount])
    guard value.loadUnaligned(as: UInt16.self).littleEndian == FormatVersion.current else { return }
    if node.keyByteCount == Int(Self.spaceKeyByteCount) {
      guard let record = Self.space(value, id: Self.spaceID(node, window)) else { return }
      spaces.append(record)
    } else {
      let seal = value.loadUnaligned(fromByteOffset: value.count - 8, as: UInt64.self).littleEndian
      let body = UnsafeRawBufferPointer(rebasing: value[..<(value.count - 8)])
      guard blockRecords.count < Self.blockRecordCountLimit, StoredChecksum.xxh3(body) == seal else { return }
      blockRecords.append((window.fileOffset(of: node.offset), node.leafByteCount))
    }
  }

  private static func spaceID(_ node: LMDBNode, _ window: RawWindow) -> SpaceID {
    SpaceID(rawValue: UInt32(bigEndian: window.bytes.loadUnaligned(fromByteOffset: node.keyOffset, as: UInt32.self)))
  }

  /// A space whose record is too long for a leaf page.
  private mutating func noteSpaceElsewhere(_ node: LMDBNode, _ window: RawWindow) {
    guard node.keyByteCount == Int(Self.spaceKeyByteCount), node.valueOffset + 8 <= window.bytes.count else { return }
    let page = window.bytes.loadUnaligned(fromByteOffset: node.valueOffset, as: UInt64.self)
    guard page >= LMDBFormat.metaPageCount, page < fileByteCount / 4096 else { return }
    spaces.noteRun(RawSpaceList.Run(id: Self.spaceID(node, window), page: page, byteCount: node.valueByteCount))
  }

  /// A space's record from its sealed bytes; nil where they are something else.
  static func space(_ value: UnsafeRawBufferPointer, id: SpaceID) -> SpaceRecord? {
    guard value.count > SpaceFormat.leastByteCount,
      value.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian <= flagLimit
    else { return nil }
    return try? SpaceFormat.decode(value.bytes, id: id)
  }

  /// Spaces' records that fill a run of pages of their own, at whatever page: which space's they are is told by a leaf
  /// page, or by the root that sessions name.
  mutating func findSpaceRuns(_ window: RawWindow) {
    let header = LMDBFormat.pageHeaderByteCount
    var page = window.lead
    while page < window.end, page + header + SpaceFormat.leastByteCount <= window.bytes.count {
      defer { page += ExtentFormat.pageByteCount }
      let value = UnsafeRawBufferPointer(rebasing: window.bytes[(page + header)...])
      guard value.loadUnaligned(as: UInt16.self).littleEndian == FormatVersion.current,
        value.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian <= Self.flagLimit,
        let byteCount = SpaceFormat.byteCount(ofRecordAt: value.bytes),
        let record = Self.space(UnsafeRawBufferPointer(rebasing: value[..<byteCount]), id: RawSpaceList.unknown)
      else { continue }
      spaces.append(record, page: window.fileOffset(of: page))
    }
  }
}

extension LMDBNode {
  /// Where in a node its key's length stands.
  static let keyByteCountOffset = 6
}
