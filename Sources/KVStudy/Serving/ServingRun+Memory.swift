extension ServingRun {
  /// Rows that a contiguous policy takes for a request.
  func stretchTokenCount(_ request: Int, _ reach: AllocationPolicy.Reach) -> Int {
    let need = max(1, workload.requests[request].tokenCount)
    switch reach {
    case .maximum: return model.maximumTokenCount
    case .powerOfTwo: return need == 1 ? 1 : 1 << (Int.bitWidth - (need - 1).leadingZeroBitCount)
    case .exact: return need
    }
  }

  /// Whether the request could be served if it were alone.
  func canEverHold(_ request: Int) -> Bool {
    let need = workload.requests[request].tokenCount
    switch policy {
    case .contiguous(let reach, _):
      let stretch = stretchTokenCount(request, reach)
      return need <= stretch && stretch <= model.capacityTokenCount
    case .paged(let blockTokenCount, _):
      return (need + blockTokenCount - 1) / blockTokenCount <= blockCount
    }
  }

  /// Gives a request its memory, for all rows that it has when it begins or comes back.
  /// - Returns: false where there is not enough now, with nothing changed.
  mutating func hold(_ request: Int, isBack: Bool) -> Bool {
    switch policy {
    case .contiguous(let reach, let fit):
      let stretch = stretchTokenCount(request, reach)
      guard let taken = space.take(stretch, fit) else { return false }
      stays[request].address = taken.lowerBound
      stays[request].ownTokenCount = stretch
      account.free -= stretch
    case .paged(let blockTokenCount, _):
      guard holdBlocks(request, blockTokenCount, isBack: isBack) else { return false }
    }
    begin(request, isBack: isBack)
    return true
  }

  private mutating func holdBlocks(_ request: Int, _ blockTokenCount: Int, isBack: Bool) -> Bool {
    let names = prefix(of: request)
    let prefixTokenCount = names.count * workload.prefixBlockTokenCount
    let outputCount = isBack ? max(0, stays[request].preemptedOutputCount) : 0
    let ownCount = workload.requests[request].promptTokenCount + outputCount - prefixTokenCount
    let ownBlockCount = (ownCount + blockTokenCount - 1) / blockTokenCount
    // Nothing keeps free what nobody could use: an empty server takes whatever fits.
    let reserve = running.isEmpty ? 0 : model.reserveBlockCount(of: blockCount)
    guard ownBlockCount + reserve <= freeBlockCount else { return false }
    let fresh = shared.hold(names)
    let freshBlockCount = fresh * workload.prefixBlockTokenCount / blockTokenCount
    guard ownBlockCount + freshBlockCount + reserve <= freeBlockCount else {
      _ = shared.release(names)
      return false
    }
    freeBlockCount -= ownBlockCount + freshBlockCount
    account.free -= (ownBlockCount + freshBlockCount) * blockTokenCount
    account.used += fresh * workload.prefixBlockTokenCount
    account.seen += prefixTokenCount
    stays[request].ownTokenCount = ownBlockCount * blockTokenCount
    stays[request].sharedTokenCount = prefixTokenCount
    return true
  }

  /// The names of its prompt's full blocks, where they are shared.
  private func prefix(of request: Int) -> ArraySlice<Int32> {
    guard case .paged(let blockTokenCount, true) = policy,
      workload.prefixBlockTokenCount % blockTokenCount == 0
    else {
      return []
    }
    return workload.prefixBlocks[workload.requests[request].prefix]
  }

  /// The request has its memory and goes on.
  private mutating func begin(_ request: Int, isBack: Bool) {
    let outputCount = isBack ? stays[request].preemptedOutputCount : -1
    let facts = workload.requests[request]
    stays[request].number += 1
    if isBack {
      tell?(.cameBack(request))
    } else {
      stays[request].admission = admissionCount
      admissionCount += 1
      tell?(.admitted(request))
    }
    if outputCount >= 0 {
      stays[request].firstOutputStep = now + 1 - outputCount
    } else {
      stays[request].firstOutputStep = now + model.prefillStepCount(facts.promptTokenCount)
    }
    if let count = policy.blockTokenCount {
      tell?(.took(request, blockCount: stays[request].ownTokenCount / count))
    }
    stays[request].isGrowing = false
    running.insert(request, at: place(of: request))
    let rows = ownRows(of: request, outputCount: max(0, outputCount))
    account.used += rows.used
    account.reserved += rows.reserved
    account.inside += rows.inside
    account.seen += rows.used
    account.held += 1
    // A step more to come back, or the whole prompt.
    let start = now + (outputCount >= 0 ? 1 : model.prefillStepCount(facts.promptTokenCount))
    let left = facts.outputTokenCount - max(0, outputCount)
    insert(left > 0 ? .start : .leave, at: start, request)
  }

  /// What a request's own memory is, when it has so many rows of output.
  func ownRows(of request: Int, outputCount: Int) -> (used: Int, reserved: Int, inside: Int) {
    let stay = stays[request]
    let used = workload.requests[request].promptTokenCount + outputCount - stay.sharedTokenCount
    let final = workload.requests[request].tokenCount - stay.sharedTokenCount
    return (used, min(stay.ownTokenCount, final) - used, max(0, stay.ownTokenCount - final))
  }

  private func place(of request: Int) -> Int {
    var (low, high) = (0, running.count)
    while low < high {
      let middle = (low + high) / 2
      if stays[running[middle]].admission < stays[request].admission { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func insert(_ kind: EventHeap.Kind, at step: Int, _ request: Int) {
    events.insert(
      EventHeap.Event(
        step: step, kind: kind, admission: stays[request].admission, request: request, stay: stays[request].number))
  }

  /// When a request that gains rows needs a block more, or goes.
  mutating func scheduleNext(_ request: Int) {
    let facts = workload.requests[request]
    let stay = stays[request]
    let room = stay.sharedTokenCount + stay.ownTokenCount
    if room < facts.tokenCount {
      insert(.grow, at: stay.firstOutputStep + room - facts.promptTokenCount, request)
    } else {
      insert(.leave, at: stay.firstOutputStep + facts.outputTokenCount, request)
    }
  }

  /// Gives a block to each request whose next row needs one, the oldest first; the newest gives way where none is
  /// free.
  mutating func grow() {
    guard case .paged(let blockTokenCount, _) = policy else { return }
    while let event = events.first, event.step == now {
      _ = events.removeFirst()
      let request = Int(event.request)
      guard stays[request].number == event.stay else { continue }
      while freeBlockCount == 0, stays[request].number == event.stay, let newest = running.last { preempt(newest) }
      guard stays[request].number == event.stay else { continue }
      freeBlockCount -= 1
      account.free -= blockTokenCount
      // The row of this step is in the account as one taken from what was reserved.
      let final = workload.requests[request].tokenCount - stays[request].sharedTokenCount
      let later = min(blockTokenCount, final - stays[request].ownTokenCount)
      account.reserved += later
      account.inside += blockTokenCount - later
      stays[request].ownTokenCount += blockTokenCount
      tell?(.took(request, blockCount: 1))
      scheduleNext(request)
    }
  }

  /// The rows of output that a request in memory has.
  func outputCount(of request: Int) -> Int {
    stays[request].isGrowing
      ? now - stays[request].firstOutputStep + 1 : max(0, stays[request].preemptedOutputCount)
  }

  mutating func leave(_ request: Int) {
    // Its last row was taken in the step before.
    letGo(request, outputCount: workload.requests[request].outputTokenCount)
    stays[request].number += 1
    mayAdmit = true
    tell?(.left(request))
  }

  private mutating func preempt(_ request: Int) {
    let counted = outputCount(of: request)
    let wasGrowing = stays[request].isGrowing
    let freed = letGo(request, outputCount: counted)
    stays[request].number += 1
    // Without the row of this step, which it takes when it is back.
    if wasGrowing { stays[request].preemptedOutputCount = counted - 1 }
    let place = preempted.firstIndex { stays[$0].admission > stays[request].admission } ?? preempted.count
    preempted.insert(request, at: place)
    outcome.preemptionCount += 1
    outcome.preemptedTokenCount += freed - (wasGrowing ? 1 : 0)
    mayAdmit = true
    tell?(.preempted(request))
  }

  /// Takes a request's memory back. - Returns: its rows that are gone from memory.
  @discardableResult
  private mutating func letGo(_ request: Int, outputCount: Int) -> Int {
    let rows = ownRows(of: request, outputCount: outputCount)
    let stay = stays[request]
    account.used -= rows.used
    account.reserved -= rows.reserved
    account.inside -= rows.inside
    account.seen -= rows.used + stay.sharedTokenCount
    account.held -= 1
    account.free += stay.ownTokenCount
    var gone = 0
    switch policy {
    case .contiguous: space.give(stay.address..<stay.address + stay.ownTokenCount)
    case .paged(let blockTokenCount, _):
      gone = shared.release(prefix(of: request)) * workload.prefixBlockTokenCount
      account.used -= gone
      account.free += gone
      freeBlockCount += (stay.ownTokenCount + gone) / blockTokenCount
    }
    if stay.isGrowing {
      growingCount -= 1
      stays[request].isGrowing = false
    }
    running.remove(at: place(of: request))
    return rows.used + gone
  }
}
