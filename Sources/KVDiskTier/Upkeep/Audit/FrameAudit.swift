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
    var unreleasedByteCount = 0
  }

  private let tier: DiskTier
  private let claims: [FrameClaim]
  private let index: BlockIndex
  private let sessions: [SessionKey]
  private let spaces: [SpaceID: SpaceRecord]
  private let state = Lock<State>(State())
  private let doneByteCount = Atomic<Int>(0)

  static let batchByteCount = 4 << 20
  static let batchCount = 512
  /// Bytes read between two returns of the map's memory.
  static let releaseByteCount = 48 << 20

  init(
    _ tier: DiskTier, claims: [FrameClaim], index: BlockIndex, sessions: [SessionKey], spaces: [SpaceID: SpaceRecord]
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
      try tier.codecs.withDecoder { (decoder) throws(StoreError) in
        while let batch = nextBatch() {
          let problems = try read(batch, &decoder)
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

  private func read(_ batch: Range<Int>, _ decoder: inout BlockDecoder) throws(StoreError) -> [AuditProblem] {
    var problems: [AuditProblem] = []
    var byteCount = 0
    try tier.environment.read { (transaction) throws(StoreError) in
      let reader = FrameReading(tables: tier.tables, spaces: spaces)
      let frames = try batch.map { (position) throws(StoreError) in
        let claim = claims[position]
        byteCount += claim.reference.diskByteCount
        switch claim.kind {
        case .block: return try reader.block(index.key(Int(claim.owner)), transaction)
        case .body: return try reader.part(.body(sessions[Int(claim.owner)]), transaction)
        case .checkpoint: return try reader.part(.checkpoint(sessions[Int(claim.owner)]), transaction)
        }
      }
      reader.readAhead(frames, transaction)
      let offsets = transaction.mapOffsets()
      for case let frame? in frames {
        if let problem = try reader.problem(of: frame, offsets, transaction, &decoder) { problems.append(problem) }
      }
      if mustRelease(byteCount) { transaction.releaseMap() }
    }
    doneByteCount.add(byteCount, ordering: .relaxed)
    return problems
  }

  private func mustRelease(_ byteCount: Int) -> Bool {
    state.withLock { state in
      state.unreleasedByteCount += byteCount
      guard state.unreleasedByteCount >= Self.releaseByteCount else { return false }
      state.unreleasedByteCount = 0
      return true
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
