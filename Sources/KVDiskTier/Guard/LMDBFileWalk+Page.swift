/// The shape of one branch or leaf page, before anything in it is followed.
extension LMDBFileWalk {
  struct PageProblem: Error { let message: String }

  /// The page's number of nodes, where all of them lie inside it and tile it from `upper` to its end as LMDB packs
  /// them.
  mutating func checkPage(
    _ page: UnsafeRawBufferPointer, number: UInt64, isLeaf: Bool
  ) -> Result<Int, PageProblem> {
    func problem(_ message: String) -> Result<Int, PageProblem> { .failure(PageProblem(message: message)) }

    let ownNumber = page.loadUnaligned(as: UInt64.self)
    guard ownNumber == number else { return problem("carries page number \(ownNumber)") }
    let flags = page.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
    guard flags == (isLeaf ? LMDBFormat.PageFlags.leaf : LMDBFormat.PageFlags.branch) else {
      return problem("flags \(flags) where a \(isLeaf ? "leaf" : "branch") page belongs")
    }
    let lower = Int(page.loadUnaligned(fromByteOffset: 12, as: UInt16.self))
    let upper = Int(page.loadUnaligned(fromByteOffset: 14, as: UInt16.self))
    guard lower >= LMDBFormat.pageHeaderByteCount, lower % 2 == 0, lower <= upper, upper <= pageByteCount else {
      return problem("free space from \(lower) to \(upper) in \(pageByteCount) bytes")
    }
    let nodeCount = (lower - LMDBFormat.pageHeaderByteCount) / 2
    // LMDB aborts the process on a branch with a single child.
    guard nodeCount >= (isLeaf ? 1 : 2) else {
      return problem("\(nodeCount) nodes in a \(isLeaf ? "leaf" : "branch") page")
    }

    nodeByteCounts.update(repeating: 0)
    for index in 0..<nodeCount {
      let offset = Int(
        page.loadUnaligned(fromByteOffset: LMDBFormat.pageHeaderByteCount + 2 * index, as: UInt16.self))
      guard offset % 2 == 0, offset >= upper, offset <= pageByteCount - LMDBFormat.nodeHeaderByteCount else {
        return problem("node \(index) at offset \(offset)")
      }
      let node = LMDBNode(page, at: offset)
      if let message = isLeaf ? leafProblem(node) : branchProblem(node, isFirst: index == 0) {
        return problem("node \(index): \(message)")
      }
      let byteCount = ((isLeaf ? node.leafByteCount : node.branchByteCount) + 1) & ~1
      guard byteCount <= pageByteCount - offset else {
        return problem("node \(index) of \(byteCount) bytes at \(offset)")
      }
      guard nodeByteCounts[offset / 2] == 0 else { return problem("two nodes at offset \(offset)") }
      nodeByteCounts[offset / 2] = UInt16(byteCount)
    }
    return tiles(from: upper, count: nodeCount) ? .success(nodeCount) : problem("nodes overlap or leave a gap")
  }

  private func tiles(from upper: Int, count: Int) -> Bool {
    var offset = upper
    var seen = 0
    while offset < pageByteCount, nodeByteCounts[offset / 2] != 0 {
      offset += Int(nodeByteCounts[offset / 2])
      seen += 1
    }
    return offset == pageByteCount && seen == count
  }

  private func branchProblem(_ node: LMDBNode, isFirst: Bool) -> String? {
    let least = isFirst ? 0 : 1
    return (least...LMDBFormat.keyByteCountLimit).contains(node.keyByteCount)
      ? nil : "a key of \(node.keyByteCount) bytes"
  }

  private func leafProblem(_ node: LMDBNode) -> String? {
    guard (1...LMDBFormat.keyByteCountLimit).contains(node.keyByteCount) else {
      return "a key of \(node.keyByteCount) bytes"
    }
    switch node.flags {
    case LMDBFormat.NodeFlags.overflow:
      return nil
    case LMDBFormat.NodeFlags.table:
      guard kind == .main, node.valueByteCount == LMDBFormat.tableRecordByteCount else {
        return "a table's record of \(node.valueByteCount) bytes"
      }
      return nil
    case 0:
      let isSmall = node.leafByteCount <= LMDBFormat.nodeByteCountLimit(pageByteCount: pageByteCount)
      return isSmall ? nil : "a value of \(node.valueByteCount) bytes inside the page"
    default:
      return "flags \(node.flags)"
    }
  }
}
