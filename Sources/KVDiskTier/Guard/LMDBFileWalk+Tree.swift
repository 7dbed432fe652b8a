import KVBlocks

/// Following one table's tree from its root, left to right, without recursion.
extension LMDBFileWalk {
  mutating func walk(_ record: LMDBTableRecord, kind: Kind, name: String) throws(StoreError) {
    guard !isStopped else { return }
    self.kind = kind
    let hasIntegerKeys = record.flags & LMDBFormat.TableFlags.integerKey != 0
    tableIndex = report.tables.count
    report.tables.append(.init(name: name, hasIntegerKeys: hasIntegerKeys, depth: Int(record.depth)))
    order = LMDBKeyOrder(areIntegers: hasIntegerKeys)
    let findingCount = report.findings.count
    guard checkFlags(record) else { return }
    if record.root == LMDBFormat.noPage {
      if record.depth != 0 { find("an empty tree of depth \(record.depth)") }
    } else if (1...LMDBFormat.depthLimit).contains(Int(record.depth)) {
      try walkTree(root: record.root, depth: Int(record.depth))
    } else {
      find(page: record.root, "a tree of depth \(record.depth)")
    }
    // A branch that could not be followed explains every difference.
    if report.findings.count == findingCount { checkCounts(record) }
  }

  /// Only the flags that kvpager's tables have: sorted duplicates would need other rules.
  private mutating func checkFlags(_ record: LMDBTableRecord) -> Bool {
    let integerKey = LMDBFormat.TableFlags.integerKey
    let isKnown =
      switch kind {
      case .free: record.flags & ~LMDBFormat.TableFlags.noSubdirectory == integerKey
      case .main: record.flags == 0
      case .named: record.flags & ~integerKey == 0
      }
    if !isKnown { find("flags \(record.flags), which no table of a store has") }
    return isKnown
  }

  private mutating func checkCounts(_ record: LMDBTableRecord) {
    let table = report.tables[tableIndex]
    func difference(_ what: String, _ counted: UInt64, _ recorded: UInt64) -> String {
      "holds \(counted) \(what), its record says \(recorded)"
    }
    if table.entryCount != record.entryCount {
      find(page: record.root, difference("entries", table.entryCount, record.entryCount))
    }
    if table.branchPageCount != record.branchPageCount {
      find(page: record.root, difference("branch pages", table.branchPageCount, record.branchPageCount))
    }
    if table.leafPageCount != record.leafPageCount {
      find(page: record.root, difference("leaf pages", table.leafPageCount, record.leafPageCount))
    }
    if table.overflowPageCount < record.overflowPageCount && !isDeep {
      needsRunHeaders = true
    } else if table.overflowPageCount != record.overflowPageCount {
      find(page: record.root, difference("overflow pages", table.overflowPageCount, record.overflowPageCount))
    }
  }

  private mutating func walkTree(root: UInt64, depth: Int) throws(StoreError) {
    levels.removeAll(keepingCapacity: true)
    guard try enter(root, from: nil, depth: depth) else { return }
    while let level = levels.last, !isStopped {
      if level.isLeaf {
        try visitLeaf(level)
        levels.removeLast()
      } else if level.index == level.nodeCount {
        levels.removeLast()
      } else {
        levels[levels.count - 1].index += 1
        let page = bytes(ofLevel: levels.count - 1)
        let node = node(level.index, in: page)
        // The first node's key stands for everything smaller and is not looked at.
        if level.index > 0, let problem = admit(node, in: page, isSeparator: true) { find(page: level.page, problem) }
        _ = try enter(node.childPage, from: level.page, depth: depth)
      }
    }
  }

  /// Reads a page below the last level and makes it the last. False, with a finding, where it cannot be followed.
  private mutating func enter(_ number: UInt64, from parent: UInt64?, depth: Int) throws(StoreError) -> Bool {
    guard claim(number, from: parent) else { return false }
    let isLeaf = levels.count == depth - 1
    let page = UnsafeMutableRawBufferPointer(
      rebasing: levelBytes[levels.count * pageByteCount..<(levels.count + 1) * pageByteCount])
    guard try file.read(into: page, at: number * UInt64(pageByteCount)) == pageByteCount else {
      find(page: number, "truncated: the file ends inside this page")
      return false
    }
    report.treePageCount += 1
    if isLeaf {
      report.tables[tableIndex].leafPageCount += 1
    } else {
      report.tables[tableIndex].branchPageCount += 1
    }
    switch checkPage(UnsafeRawBufferPointer(page), number: number, isLeaf: isLeaf) {
    case .success(let nodeCount):
      levels.append(Level(page: number, isLeaf: isLeaf, nodeCount: nodeCount))
      if !isLeaf { askForChildren(UnsafeRawBufferPointer(page), count: nodeCount) }
      return true
    case .failure(let problem):
      find(page: number, problem.message)
      return false
    }
  }

  /// Tree pages lie all over the file: on a disk that must seek or wait, asking for a branch's children at one time
  /// is many times as fast as reading one after the other.
  private func askForChildren(_ page: UnsafeRawBufferPointer, count: Int) {
    for index in 0..<count {
      let child = node(index, in: page).childPage
      if child < filePageCount { file.willNeed(child * UInt64(pageByteCount), byteCount: pageByteCount) }
    }
  }

  private mutating func visitLeaf(_ level: Level) throws(StoreError) {
    let page = bytes(ofLevel: levels.count - 1)
    for index in 0..<level.nodeCount where !isStopped {
      let node = node(index, in: page)
      if let problem = admit(node, in: page, isSeparator: false) { find(page: level.page, problem) }
      report.tables[tableIndex].entryCount += 1
      var runPage: UInt64?
      if node.isOverflow {
        let first = page.loadUnaligned(fromByteOffset: node.valueOffset, as: UInt64.self)
        guard try visitRun(first, valueByteCount: node.valueByteCount, from: level.page) else { continue }
        runPage = first
      }
      switch kind {
      case .free:
        try visitFreeRecord(node, in: page, runPage: runPage, from: level.page)
      case .main where node.flags & LMDBFormat.NodeFlags.table != 0:
        let name = String(decoding: page[node.keyOffset..<node.valueOffset], as: UTF8.self)
        guard namedTables.count < Self.tableCountLimit else {
          find(page: level.page, "more than \(Self.tableCountLimit) tables")
          return
        }
        namedTables.append((name, LMDBTableRecord(page, at: node.valueOffset)))
      case .main:
        break
      case .named:
        if let visit, !node.isOverflow {
          visit(
            UnsafeRawBufferPointer(rebasing: page[node.keyOffset..<node.valueOffset]),
            UnsafeRawBufferPointer(rebasing: page[node.valueOffset..<node.valueOffset + node.valueByteCount]))
        }
      }
    }
  }

  private mutating func admit(_ node: LMDBNode, in page: UnsafeRawBufferPointer, isSeparator: Bool) -> String? {
    order.admit(UnsafeRawBufferPointer(rebasing: page[node.keyOffset..<node.valueOffset]), isSeparator: isSeparator)
  }

  private func bytes(ofLevel index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: levelBytes[index * pageByteCount..<(index + 1) * pageByteCount])
  }

  /// - Precondition: the page passed ``checkPage(_:number:isLeaf:)`` and has more nodes than `index`.
  private func node(_ index: Int, in page: UnsafeRawBufferPointer) -> LMDBNode {
    LMDBNode(
      page,
      at: Int(page.loadUnaligned(fromByteOffset: LMDBFormat.pageHeaderByteCount + 2 * index, as: UInt16.self)))
  }
}
