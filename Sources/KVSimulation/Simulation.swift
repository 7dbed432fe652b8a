import KVBlocks
import KVPager
import KVTiering

/// What a run found wrong, and how to get there again.
package struct SimulationFailure: Error, CustomStringConvertible {
  package let seed: UInt64
  package let stepIndex: Int
  package let step: Step?
  package let message: String

  package var description: String { "seed \(seed), step \(stepIndex) (\(step.map { "\($0)" } ?? "end")): \(message)" }
}

/// How a simulated run is set up.
package struct SimulationSetup: Sendable {
  package var seed: UInt64
  package var stepCount = 150
  package var layout: BlockLayout
  /// The RAM budget, in blocks.
  package var budgetBlockCount = 6
  package var quotaBytes: Int?
  /// Something between the pager and the disk tier, made anew at each reopening.
  package var wrap: @Sendable (any ColdTier) -> any ColdTier = { $0 }
  /// Errors that the setup makes possible. Any other ends the run.
  package var allowedErrors: Set<StoreError.Code> = [.poolExhausted]

  package init(seed: UInt64, layout: BlockLayout) {
    self.seed = seed
    self.layout = layout
  }
}

// Invariants: `sessions` are the open sessions; for each, `model.live` has just its tokens.

/// Runs a seeded workload against a real store in a folder and holds every answer against the reference model.
package final class Simulation {
  let setup: SimulationSetup
  let path: String
  let rows: RowFunction
  var model = ReferenceModel()
  var workload: Workload
  var store: Store
  var space: CacheSpace
  var sessions: [String: Session] = [:]
  /// Steps that did their work, and operations that an allowed error refused.
  package private(set) var completedStepCount = 0
  package private(set) var refusalCount = 0
  private var stepIndex = 0
  private var step: Step?

  package init(_ setup: SimulationSetup, path: String) throws {
    self.setup = setup
    self.path = path
    rows = RowFunction(layout: setup.layout)
    workload = Workload(seed: setup.seed, blockTokenCount: setup.layout.blockTokenCount)
    let opened = try Self.open(setup, path: path)
    store = opened
    space = try Self.space(of: setup, in: opened)
  }

  private static func open(_ setup: SimulationSetup, path: String) throws -> Store {
    var configuration = StoreConfiguration()
    configuration.memoryBudgetBytes = setup.layout.frameByteCount * setup.budgetBlockCount
    configuration.writeBatchBytes = setup.layout.frameByteCount * 4
    configuration.diskQuotaBytes = setup.quotaBytes
    configuration.mapSizeBytes = 1 << 32
    let wrap = setup.wrap
    return try Store(at: path, configuration: configuration) { wrap($0) }
  }

  private static func space(of setup: SimulationSetup, in store: Store) throws -> CacheSpace {
    try store.cacheSpace(for: ModelFingerprint(model: "simulated"), layout: setup.layout)
  }

  /// Runs all steps, then reopens the store without faults and checks everything that was committed.
  package func run() throws {
    while stepIndex < setup.stepCount {
      let next = workload.next()
      step = next
      do {
        try perform(next)
        completedStepCount += 1
      } catch let error as StoreError {
        guard setup.allowedErrors.contains(error.code) else { throw failure("\(error.code.rawValue): \(error)") }
        refusalCount += 1
      }
      store.assertInvariants()
      stepIndex += 1
    }
    step = nil
    try checkAtEnd()
  }

  func failure(_ message: String) -> SimulationFailure {
    SimulationFailure(seed: setup.seed, stepIndex: stepIndex, step: step, message: message)
  }

  func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    guard condition else { throw failure(message()) }
  }

  /// Loses what is not committed, as a kill would: the sessions go, the store is opened again.
  func reopen(faultless: Bool = false) throws {
    sessions = [:]
    model.live = [:]
    do {
      try store.close()
    } catch {
      guard setup.allowedErrors.contains(error.code) else { throw error }
      refusalCount += 1
    }
    var plain = setup
    if faultless { plain.wrap = { $0 } }
    store = try Self.open(plain, path: path)
    space = try Self.space(of: plain, in: store)
  }

  private func checkAtEnd() throws {
    try reopen(faultless: true)
    for (name, tokens) in model.committed {
      let session = try space.session(named: name)
      try require(session.tokens == tokens, "\(name) has other tokens after the restart")
      try checkRows(of: session, tokens: tokens)
    }
    let disk = try store.statistics().disk
    let unique = model.uniqueBlockCount(blockTokenCount: setup.layout.blockTokenCount)
    let references = model.blockReferenceCount(blockTokenCount: setup.layout.blockTokenCount)
    try require(disk.sessionCount == model.committed.count, "\(disk.sessionCount) sessions in the store")
    try require(disk.blockReferenceCount == references, "\(disk.blockReferenceCount) references for \(references)")
    try require(disk.uniqueBlockCount >= unique, "\(disk.uniqueBlockCount) blocks where sessions have \(unique)")
    let findings = try store.audit()
    try require(findings.isEmpty, "the audit finds: \(findings.joined(separator: "; "))")
    try store.close()
  }
}
