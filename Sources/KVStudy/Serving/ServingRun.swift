// Invariants:
// - `account` is what `flaw` finds when it counts all requests and all memory anew.
// - `running` lists the requests that hold memory in the order of their admission, each with one event to come.
// - Those that wait are refused in the order of arrival; those preempted come back before any that wait is admitted.
import KVBlocks

/// A server's memory under one policy, from the first request to the last row of the last.
package struct ServingRun {
  package let workload: ServingWorkload
  package let model: ServingModel
  package let policy: AllocationPolicy

  /// The step that was dealt with last.
  package internal(set) var now = 0
  package internal(set) var account: MemoryAccount
  package internal(set) var outcome: PolicyOutcome
  /// Where contiguous stretches lie; all free under a paged policy.
  package internal(set) var space: AddressSpace
  /// Blocks that nobody has, under a paged policy.
  package internal(set) var freeBlockCount = 0
  let blockCount: Int
  var shared: SharedPrefixes

  /// Of each request that was admitted: what it holds.
  var stays: [Stay]
  var admissionCount = 0
  package internal(set) var running: [Int] = []
  var growingCount = 0
  var events = EventHeap()
  /// Preempted, in the order in which they were first admitted.
  package internal(set) var preempted: [Int] = []
  package internal(set) var waiting = WaitingLine()
  var nextArrival = 0
  /// Whether something happened since the first in line was last tried.
  var mayAdmit = false
  var window: MeasuredWindow
  /// Told of what happens, in order.
  var tell: ((ServingEvent) -> Void)?

  /// What one request holds.
  package struct Stay: Sendable {
    /// The step in which it takes, or took, its first row of output.
    package var firstOutputStep = 0
    /// Where its stretch begins.
    package var address = 0
    /// Rows taken for it alone; the shared ones come first and are not among them.
    package var ownTokenCount = 0
    package var sharedTokenCount = 0
    /// Rows of output that a preempted request has; -1 where its prompt was not computed yet.
    package var preemptedOutputCount = -1
    package var admission = -1
    /// How often it was admitted or came back: events of earlier stays do not happen.
    package var number: Int32 = 0
    package var isGrowing = false
  }

  package init(_ workload: ServingWorkload, _ model: ServingModel, _ policy: AllocationPolicy) {
    self.workload = workload
    self.model = model
    self.policy = policy
    let capacity = model.capacityTokenCount
    account = MemoryAccount(capacityTokenCount: capacity)
    outcome = PolicyOutcome(policy: policy, capacityTokenCount: capacity)
    space = AddressSpace(count: capacity)
    blockCount = policy.blockTokenCount.map { capacity / $0 } ?? 0
    freeBlockCount = blockCount
    shared = SharedPrefixes(nameCount: policy.sharesPrefixes ? workload.uniquePrefixBlockCount : 0)
    stays = Array(repeating: Stay(), count: workload.requests.count)
    window = MeasuredWindow(workload, model)
  }

  /// All of it.
  package static func outcome(
    _ workload: ServingWorkload, _ model: ServingModel, _ policy: AllocationPolicy
  ) -> PolicyOutcome {
    var run = ServingRun(workload, model, policy)
    while run.advance() {}
    return run.outcome
  }

  /// Goes on to the next step in which something happens. - Returns: false where nothing will any more.
  @discardableResult
  package mutating func advance() -> Bool {
    guard let step = nextStep else {
      outcome.timeline = window.timeline
      outcome.sums = window.sums
      return false
    }
    pass(to: step)
    endAndStart()
    takeRows()
    grow()
    arrive()
    admit()
    refuse()
    noteOutside()
    outcome.peakUsed = max(outcome.peakUsed, account.used)
    outcome.peakTaken = max(outcome.peakTaken, account.taken)
    outcome.peakHeld = max(outcome.peakHeld, account.held)
    return true
  }

  /// When something happens next; nil where nothing will any more.
  var nextStep: Int? {
    var next: Int?
    func consider(_ step: Int?) { if let step { next = min(next ?? step, step) } }
    consider(events.first?.step)
    if nextArrival < workload.requests.count {
      consider(model.step(of: workload.requests[nextArrival].arrivalMicroseconds))
    }
    if let first = waiting.first { consider(deadline(of: first)) }
    return next
  }

  func deadline(of request: Int) -> Int {
    model.step(of: workload.requests[request].arrivalMicroseconds + model.patienceMicroseconds)
  }

  /// Time goes by: rows are gained in each step, and nothing else happens.
  private mutating func pass(to step: Int) {
    while now < step {
      let end = min(step, window.nextEnd(after: now))
      window.add(account, growing: growingCount, from: now, to: end)
      // The rows of `step` itself are taken after those that end with it have left.
      let rows = growingCount * (end - now - (end == step ? 1 : 0))
      take(rows: rows)
      now = end
    }
    // The rows of the steps between two events are in; those that leave now were there until now.
    outcome.peakUsed = max(outcome.peakUsed, account.used)
  }

  /// Rows that were reserved are used from now on.
  private mutating func take(rows: Int) {
    account.used += rows
    account.reserved -= rows
    account.seen += rows
  }

  private mutating func takeRows() { take(rows: growingCount) }

  private mutating func endAndStart() {
    while let event = events.first, event.step == now, event.kind != .grow {
      _ = events.removeFirst()
      let request = Int(event.request)
      guard stays[request].number == event.stay else { continue }
      if event.kind == .leave {
        leave(request)
      } else {
        stays[request].isGrowing = true
        growingCount += 1
        scheduleNext(request)
      }
    }
  }

  private mutating func arrive() {
    while nextArrival < workload.requests.count,
      model.step(of: workload.requests[nextArrival].arrivalMicroseconds) <= now
    {
      let request = nextArrival
      nextArrival += 1
      mayAdmit = true
      if canEverHold(request) {
        waiting.append(request)
      } else {
        outcome.refusedCount += 1
        outcome.neverFitCount += 1
        tell?(.refused(request))
      }
    }
  }

  private mutating func admit() {
    guard mayAdmit else { return }
    mayAdmit = false
    while let request = preempted.first {
      guard hold(request, isBack: true) else { return }
      preempted.removeFirst()
    }
    while let request = waiting.first {
      guard hold(request, isBack: false) else { return }
      waiting.removeFirst()
      outcome.admittedCount += 1
      outcome.servedTokenCount += workload.requests[request].outputTokenCount
      let arrival = workload.requests[request].arrivalMicroseconds
      outcome.waitedMicroseconds += max(0, now * model.stepMicroseconds - arrival)
    }
  }

  /// Those whose patience ends; what stood behind them may fit.
  private mutating func refuse() {
    while let request = waiting.first, deadline(of: request) <= now {
      waiting.removeFirst()
      outcome.refusedCount += 1
      // It was tried just now, unless one that was preempted stands before it.
      if preempted.isEmpty, account.free >= workload.requests[request].tokenCount {
        outcome.refusedThoughFree += 1
        if account.free > outcome.largestFreeRefused {
          outcome.largestFreeRefused = account.free
          outcome.largestFreeRefusedNeed = workload.requests[request].tokenCount
        }
      }
      tell?(.refused(request))
      mayAdmit = true
      admit()
    }
  }

  /// Whether the first in line waits though enough is free.
  private mutating func noteOutside() {
    account.outside = 0
    guard let first = preempted.first ?? waiting.first else { return }
    if account.free >= workload.requests[first].tokenCount { account.outside = account.free }
  }
}

/// What happens to a request.
package enum ServingEvent: Hashable, Sendable {
  case admitted(Int)
  /// Blocks of its own, when it begins, comes back or grows.
  case took(Int, blockCount: Int)
  case cameBack(Int)
  case preempted(Int)
  case left(Int)
  case refused(Int)
}

/// Requests in the order of arrival, of which the first leaves.
package struct WaitingLine: Sendable {
  private var requests: [Int] = []
  private var start = 0

  package var first: Int? { start < requests.count ? requests[start] : nil }
  package var count: Int { requests.count - start }

  mutating func append(_ request: Int) { requests.append(request) }

  mutating func removeFirst() {
    start += 1
    if start > 1024, 2 * start > requests.count {
      requests.removeFirst(start)
      start = 0
    }
  }
}
