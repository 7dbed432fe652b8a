extension ServingRun {
  /// What does not add up when all that requests hold and all that is free is counted anew; nil where all does.
  package var flaw: String? {
    if let flaw = account.flaw(capacityTokenCount: model.capacityTokenCount) { return flaw }
    var counted = MemoryAccount(capacityTokenCount: model.capacityTokenCount)
    var taken: [Range<Int>] = []
    var names: Set<Int32> = []
    for request in running {
      let stay = stays[request]
      let rows = ownRows(of: request, outputCount: outputCount(of: request))
      counted.used += rows.used
      counted.reserved += rows.reserved
      counted.inside += rows.inside
      counted.seen += rows.used + stay.sharedTokenCount
      counted.held += 1
      counted.free -= stay.ownTokenCount
      if case .contiguous = policy { taken.append(stay.address..<stay.address + stay.ownTokenCount) }
      if stay.sharedTokenCount > 0 { names.formUnion(workload.prefixBlocks[workload.requests[request].prefix]) }
    }
    counted.used += names.count * workload.prefixBlockTokenCount
    counted.free -= names.count * workload.prefixBlockTokenCount
    counted.outside = account.outside
    if counted != account { return "counted \(counted), kept \(account)" }
    if let count = policy.blockTokenCount {
      let rest = model.capacityTokenCount - blockCount * count
      return freeBlockCount * count + rest == account.free ? nil : "\(freeBlockCount) blocks free, \(account.free) rows"
    }
    return flaw(ofSpace: taken)
  }

  private func flaw(ofSpace taken: [Range<Int>]) -> String? {
    if space.freeCount != account.free { return "\(space.freeCount) rows in holes, \(account.free) free" }
    // Stretches and holes tile memory, and no two holes touch.
    let pieces = (taken.map { ($0, false) } + space.holes.map { ($0, true) })
      .sorted { $0.0.lowerBound < $1.0.lowerBound }
    var end = 0
    var wasHole = false
    for (piece, isHole) in pieces {
      if piece.lowerBound != end { return "a gap or an overlap at row \(end)" }
      if isHole, wasHole { return "two holes that touch at row \(end)" }
      end = piece.upperBound
      wasHole = isHole
    }
    return end == model.capacityTokenCount ? nil : "memory ends at row \(end)"
  }
}
