import KVStudy

/// The serving model once more, as simply as can be: step by step, row by row, with nothing kept that can be counted.
struct SlowServer {
  struct Guest {
    var request: Int
    var admission: Int
    var outputCount = 0
    /// From this step on it gains rows.
    var start = 0
    var isComputed = false
    /// Paged: blocks of its own.
    var blockCount = 0
  }

  let workload: ServingWorkload
  let model: ServingModel
  let policy: AllocationPolicy
  var owners: [Int?]
  var running: [Guest] = []
  var preempted: [Guest] = []
  var waiting: [Int] = []
  var admissions = 0
  var step = 0
  var outcome: PolicyOutcome

  init(_ random: RandomWorkload, _ policy: AllocationPolicy) {
    workload = random.workload
    model = random.model
    self.policy = policy
    owners = Array(repeating: nil, count: model.capacityTokenCount)
    outcome = PolicyOutcome(policy: policy, capacityTokenCount: model.capacityTokenCount)
  }

  static func outcome(_ random: RandomWorkload, _ policy: AllocationPolicy) -> PolicyOutcome {
    var server = SlowServer(random, policy)
    let arrivals = random.workload.requests.map { server.ceil($0.arrivalMicroseconds, 1_000) }
    var next = 0
    while next < arrivals.count || !server.running.isEmpty || !server.waiting.isEmpty || !server.preempted.isEmpty {
      server.leave()
      server.grow()
      while next < arrivals.count, arrivals[next] <= server.step {
        if server.fitsAlone(next) {
          server.waiting.append(next)
        } else {
          server.outcome.refusedCount += 1
          server.outcome.neverFitCount += 1
        }
        next += 1
      }
      server.admit()
      server.refuse()
      server.count(from: arrivals[0], to: arrivals[arrivals.count - 1])
      server.step += 1
    }
    return server.outcome
  }

  func ceil(_ value: Int, _ unit: Int) -> Int { (value + unit - 1) / unit }
  func facts(_ guest: Guest) -> ServingRequest { workload.requests[guest.request] }
  func rowCount(_ guest: Guest) -> Int { facts(guest).promptTokenCount + guest.outputCount }

  func names(_ request: Int) -> ArraySlice<Int32> {
    policy.sharesPrefixes ? workload.prefixBlocks[workload.requests[request].prefix] : []
  }

  var sharedNames: Set<Int32> { Set(running.flatMap { names($0.request) }) }

  var freeCount: Int {
    guard let size = policy.blockTokenCount else { return owners.count { $0 == nil } }
    let own = running.reduce(0) { $0 + $1.blockCount } * size
    return owners.count - own - sharedNames.count * workload.prefixBlockTokenCount
  }

  func stretch(_ request: Int) -> Int {
    let need = workload.requests[request].tokenCount
    guard case .contiguous(let reach, _) = policy else { return need }
    switch reach {
    case .maximum: return model.maximumTokenCount
    case .exact: return need
    case .powerOfTwo: return (0...).lazy.map { 1 << $0 }.first { $0 >= need }!
    }
  }

  func fitsAlone(_ request: Int) -> Bool {
    let need = workload.requests[request].tokenCount
    if let size = policy.blockTokenCount { return ceil(need, size) <= owners.count / size }
    return stretch(request) <= owners.count && need <= stretch(request)
  }

  mutating func leave() {
    for guest in running
    where guest.start <= step && guest.outputCount == facts(guest).outputTokenCount {
      running.removeAll { $0.request == guest.request }
      for row in owners.indices where owners[row] == guest.request { owners[row] = nil }
    }
  }

  mutating func grow() {
    for index in running.indices where running[index].start <= step { running[index].isComputed = true }
    var index = 0
    while index < running.count {
      let guest = running[index]
      guard guest.start <= step else {
        index += 1
        continue
      }
      if let size = policy.blockTokenCount {
        let shared = names(guest.request).count * workload.prefixBlockTokenCount
        if rowCount(guest) + 1 - shared > guest.blockCount * size {
          while freeCount < size, index < running.count {
            preempted.append(running.removeLast())
            outcome.preemptionCount += 1
          }
          guard index < running.count else { break }
          running[index].blockCount += 1
        }
      }
      running[index].outputCount += 1
      index += 1
    }
    preempted.sort { $0.admission < $1.admission }
  }

  mutating func admit() {
    while let guest = preempted.first, place(guest) { preempted.removeFirst() }
    guard preempted.isEmpty else { return }
    while let request = waiting.first, place(Guest(request: request, admission: admissions)) {
      waiting.removeFirst()
      admissions += 1
      outcome.admittedCount += 1
      outcome.servedTokenCount += workload.requests[request].outputTokenCount
    }
  }

  mutating func place(_ given: Guest) -> Bool {
    var guest = given
    if case .contiguous(_, let fit) = policy {
      let length = stretch(guest.request)
      var holes: [Range<Int>] = []
      for row in owners.indices where owners[row] == nil {
        if holes.last?.upperBound == row {
          holes[holes.count - 1] = holes[holes.count - 1].lowerBound..<row + 1
        } else {
          holes.append(row..<row + 1)
        }
      }
      let large = holes.filter { $0.count >= length }
      let hole = fit == .first ? large.first : large.min { ($0.count, $0.lowerBound) < ($1.count, $1.lowerBound) }
      guard let hole else { return false }
      for row in hole.prefix(length) { owners[row] = guest.request }
    } else if let size = policy.blockTokenCount {
      let shared = names(guest.request)
      guest.blockCount = ceil(rowCount(guest) - shared.count * workload.prefixBlockTokenCount, size)
      let fresh = Set(shared).subtracting(sharedNames).count * workload.prefixBlockTokenCount
      let reserve = running.isEmpty ? 0 : max(1, owners.count / size / 100) * size
      guard guest.blockCount * size + fresh + reserve <= freeCount else { return false }
    }
    let prefill = max(1, ceil(facts(guest).promptTokenCount * 1_000_000 / model.prefillRate, model.stepMicroseconds))
    guest.start = step + (guest.isComputed ? 1 : prefill)
    running.append(guest)
    running.sort { $0.admission < $1.admission }
    return true
  }

  mutating func refuse() {
    while let request = waiting.first,
      ceil(workload.requests[request].arrivalMicroseconds + model.patienceMicroseconds, 1_000) <= step
    {
      waiting.removeFirst()
      outcome.refusedCount += 1
      if preempted.isEmpty, freeCount >= workload.requests[request].tokenCount {
        outcome.refusedThoughFree += 1
        outcome.largestFreeRefused = max(outcome.largestFreeRefused, freeCount)
      }
      admit()
    }
  }

  mutating func count(from first: Int, to last: Int) {
    var sums = MemoryIntegral()
    sums.free = freeCount
    sums.held = running.count
    sums.stepCount = 1
    for guest in running {
      let shared = names(guest.request).count * workload.prefixBlockTokenCount
      let taken = policy.blockTokenCount.map { guest.blockCount * $0 } ?? stretch(guest.request)
      let own = rowCount(guest) - shared
      sums.used += own
      sums.seen += rowCount(guest)
      sums.inside += max(0, taken - (facts(guest).tokenCount - shared))
      sums.reserved += min(taken, facts(guest).tokenCount - shared) - own
    }
    sums.used += sharedNames.count * workload.prefixBlockTokenCount
    if let next = preempted.first?.request ?? waiting.first, freeCount >= workload.requests[next].tokenCount {
      sums.outside = freeCount
    }
    outcome.peakUsed = max(outcome.peakUsed, sums.used)
    outcome.peakTaken = max(outcome.peakTaken, sums.used + sums.reserved + sums.inside)
    outcome.peakHeld = max(outcome.peakHeld, sums.held)
    if step >= first, step < last || first == last {
      for path: WritableKeyPath<MemoryIntegral, Int> in [
        \.used, \.reserved, \.inside, \.free, \.outside, \.held, \.seen, \.stepCount,
      ] {
        outcome.sums[keyPath: path] += sums[keyPath: path]
      }
    }
  }
}
