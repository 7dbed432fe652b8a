import KVBlocks
import KVMemoryTier

/// A block on its way to disk: everything the codec and the disk tier need, taken under the lock.
struct BatchItem: Sendable {
  let frame: FrameIndex
  let memory: FrameMemory
  let descriptor: BlockDescriptor
  let layout: BlockLayout
  let lastUse: UInt64
  let replacesDamaged: Bool
}

/// Batches: chosen under the lock, encoded in parallel, committed by the writer thread, settled under the lock.
extension PagerCore {
  /// Writes items that are in state `writing`. After a failure they are dirty again.
  func writeBatch(
    _ items: [BatchItem], operations: [SessionOperation]
  ) -> Result<[ColdCommit.OperationOutcome], StoreError> {
    do throws(StoreError) {
      let writes = try encode(items)
      let touches = state.withLock { $0.takeTouches() }
      let parents = Set(items.map { BlockKey(space: $0.descriptor.key.space, hash: $0.descriptor.parent) })
      let commit = try cold.commit(
        ColdBatch(writes: writes, touches: touches, operations: operations),
        // A batch must not delete the very parents that its blocks need.
        isProtected: { parents.contains($0) || self.mustKeep($0) })
      precondition(
        commit.writes.count == items.count && commit.operations.count == operations.count, "an outcome for each request"
      )
      state.withLock {
        $0.settleBatch(items, writes, commit)
        $0.settleCondemned()
      }
      progress.advance()
      return .success(commit.operations)
    } catch {
      state.withLock {
        $0.abandonBatch(items)
        // Blocks may have been deleted to make room all the same.
        $0.settleCondemned()
      }
      progress.advance()
      return .failure(error)
    }
  }

  private func encode(_ items: [BatchItem]) throws(StoreError) -> [ColdBatch.Write] {
    let shared = SharedResults<Result<EncodedFrame, StoreError>>(count: items.count)
    let cold = self.cold
    loadPool.run(items.count) { index in
      let item = items[index]
      let result: Result<EncodedFrame, StoreError>
      do throws(StoreError) {
        result = .success(
          try cold.encode(item.descriptor, layout: item.layout, frame: UnsafeRawBufferPointer(item.memory.bytes)))
      } catch {
        result = .failure(error)
      }
      shared.set(index, result)
    }
    var writes: [ColdBatch.Write] = []
    writes.reserveCapacity(items.count)
    for (item, result) in zip(items, shared.take()) {
      guard let result else { preconditionFailure("every item was encoded") }
      writes.append(
        ColdBatch.Write(frame: try result.get(), lastUse: item.lastUse, replacesDamaged: item.replacesDamaged))
    }
    return writes
  }

  // MARK: Commits

  /// All commits that wait together. Where the quota refuses them together, each is tried by itself.
  func serveCommits(_ requests: [WriterRequest]) {
    var operations: [SessionOperation] = []
    var required: [BlockKey] = []
    for request in requests {
      guard case .commit(let operation, let keys) = request.work else { continue }
      operations.append(operation)
      required += keys
    }
    switch writeRequired(required, operations: operations) {
    case .success(let outcomes):
      for (request, outcome) in zip(requests, outcomes) {
        switch outcome {
        case .done(let revision): request.complete(.done(revision: revision))
        case .failed(let error): request.complete(.failed(error))
        case .missingBlocks(let hashes): request.complete(.missing(hashes))
        }
      }
    case .failure(let error):
      if error.code == .quotaFull, requests.count > 1 {
        for request in requests { serveCommits([request]) }
      } else {
        for request in requests { request.complete(.failed(error)) }
      }
    }
  }

  /// Writes the dirty blocks among `required` and their dirty ancestors, the operations with the last of them.
  private func writeRequired(
    _ required: [BlockKey], operations: [SessionOperation]
  ) -> Result<[ColdCommit.OperationOutcome], StoreError> {
    var batchesLeft = state.withLock { $0.dirtyQueue.count } + 1
    while true {
      let (items, isLast) = state.withLock { $0.beginRequiredBatch(required) }
      batchesLeft -= 1
      if isLast || batchesLeft == 0 { return writeBatch(items, operations: operations) }
      if case .failure(let error) = writeBatch(items, operations: []) { return .failure(error) }
    }
  }
}

/// A place for results that several threads fill.
final class SharedResults<Value: Sendable>: Sendable {
  private let values: Lock<[Value?]>

  init(count: Int) { values = Lock([Value?](repeating: nil, count: count)) }

  func set(_ index: Int, _ value: Value) { values.withLock { $0[index] = value } }
  func take() -> [Value?] { values.withLock { $0 } }
}
