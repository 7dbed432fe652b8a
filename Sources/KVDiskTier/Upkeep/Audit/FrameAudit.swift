import KVBlocks
import KVCodec
import SafeLMDB
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - `claims`, `index` and `sessions` do not change while threads read them.
// - Each claim is taken by one thread, once: those before `State.next` are taken.
// - A thread that throws leaves its error in `State.failure`, and every thread stops at its next batch.

/// Reads every frame of a store, in the file's order, on two threads. Each batch is a read transaction of its own.
final class FrameAudit: Sendable {
  private struct State {
    var next = 0
    var problems: [AuditProblem] = []
    var failure: StoreError?
  }

  private let tier: DiskTier
  private let claims: [FrameClaim]
  private let index: AuditIndex
  private let sessions: [SessionKey]
  private let spaces: [SpaceID: SpaceRecord]
  private let state = Lock<State>(State())
  private let doneByteCount = Atomic<Int>(0)

  static let batchByteCount = 1 << 20
  static let batchCount = 512
  /// Bytes read between two returns of the map's memory.
  static let releaseByteCount = 64 << 20

  init(
    _ tier: DiskTier, claims: [FrameClaim], index: AuditIndex, sessions: [SessionKey], spaces: [SpaceID: SpaceRecord]
  ) {
    self.tier = tier
    self.claims = claims
    self.index = index
    self.sessions = sessions
    self.spaces = spaces
  }

  /// Reads all frames.
  /// - Parameter report: called on this thread with the bytes read so far and what was found since the last call.
  func run(_ report: (Int, [AuditProblem]) throws(StoreError) -> Void) throws(StoreError) {
    let partner = Partner { self.work { true } }
    var failure: StoreError?
    work {
      do throws(StoreError) {
        try self.tell(report)
        return true
      } catch {
        failure = error
        return false
      }
    }
    if let failure { state.withLock { $0.failure = failure } }
    partner?.join()
    if let failure = state.withLock({ $0.failure }) { throw failure }
    try tell(report)
  }

  private func tell(_ report: (Int, [AuditProblem]) throws(StoreError) -> Void) throws(StoreError) {
    let problems = state.withLock { state in
      defer { state.problems = [] }
      return state.problems
    }
    try report(doneByteCount.load(ordering: .relaxed), problems)
  }

  private func work(goesOn: () -> Bool) {
    do throws(StoreError) {
      let reading = FrameReading(tables: tier.tables, spaces: spaces)
      let frames = FrameBatch(reading, index: index)
      try tier.codecs.withDecoder { (decoder) throws(StoreError) in
        while let batch = nextBatch() {
          let problems = try read(claims[batch], frames, reading, &decoder)
          if !problems.isEmpty { state.withLock { $0.problems += problems } }
          guard goesOn() else { return }
        }
      }
    } catch {
      state.withLock { $0.failure = error }
    }
  }

  private func nextBatch() -> Range<Int>? {
    state.withLock { state in
      guard state.failure == nil, state.next < claims.count else { return nil }
      let start = state.next
      var byteCount = 0
      while state.next < claims.count, byteCount < Self.batchByteCount, state.next - start < Self.batchCount {
        byteCount += claims[state.next].reference.diskByteCount
        state.next += 1
      }
      return start..<state.next
    }
  }

  private func read(
    _ batch: ArraySlice<FrameClaim>, _ frames: borrowing FrameBatch, _ reading: FrameReading,
    _ decoder: inout BlockDecoder
  ) throws(StoreError) -> [AuditProblem] {
    try tier.environment.read { (transaction) throws(StoreError) in
      var problems: [AuditProblem] = []
      let doubtful = try frames.doubtful(batch.filter { $0.kind == .block }[...], transaction, &decoder)
      // What is not as it was seen is looked at as it is now: it may have another frame, or be gone.
      for claim in doubtful + batch.filter({ $0.kind != .block }) {
        guard let found = try reading.frame(of: owner(of: claim), transaction) else { continue }
        let offsets = transaction.mapOffsets()
        if let problem = try reading.problem(of: found, offsets, transaction, &decoder) { problems.append(problem) }
      }
      let byteCount = batch.reduce(0) { $0 + $1.reference.diskByteCount }
      let done = doneByteCount.add(byteCount, ordering: .relaxed)
      if done.oldValue / Self.releaseByteCount != done.newValue / Self.releaseByteCount { transaction.releaseMap() }
      return problems
    }
  }

  private func owner(of claim: FrameClaim) -> FrameOwner {
    switch claim.kind {
    case .block: .block(index.key(Int(claim.owner)))
    case .body: .body(sessions[Int(claim.owner)])
    case .checkpoint: .checkpoint(sessions[Int(claim.owner)])
    }
  }
}

/// A second thread. Where the system gives none, the first does all.
private struct Partner {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let thread: pthread_t

  init?(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run))
    #if canImport(Darwin)
      var created: pthread_t?
    #else
      var created: pthread_t = 0
    #endif
    let code = pthread_create(&created, nil, { Self.enter($0) }, body.toOpaque())
    guard code == 0 else {
      body.release()
      return nil
    }
    #if canImport(Darwin)
      guard let created else { return nil }
    #endif
    thread = created
  }

  private static func enter(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
    return nil
  }

  func join() { pthread_join(thread, nil) }
}
