import KVBlocks
import KVMemoryTier

/// What makes blocks and sessions durable, seen from the calling thread.
extension Pager {
  private static let commitAttemptLimit = 4

  /// Makes a session operation durable together with the blocks that it refers to: the dirty ones among `blocks` (a
  /// session's whole chain, root first) and their dirty ancestors go into the same synced transaction; where they
  /// exceed a batch, the earlier ones go ahead as cache blocks.
  ///
  /// Blocks that another process deleted from disk are written again from RAM. For one that was loaded, not sealed
  /// here, `describing` must say what it was computed from.
  ///
  /// - Returns: the session's new revision.
  /// - Throws: `blockLost` for blocks in neither tier; the operation's own error; the writer's, with all blocks still
  ///   dirty.
  package func commit(
    _ operation: SessionOperation, requiring blocks: [BlockKey],
    describing: (BlockKey) -> BlockDescriptor? = { _ in nil }
  ) throws(StoreError) -> UInt64 {
    protect(blocks)
    defer { unprotect(blocks) }
    var missing: [BlockHash] = []
    for _ in 0..<Self.commitAttemptLimit {
      switch try core.answer(to: WriterRequest(.commit(operation, required: blocks))) {
      case .done(let revision): return revision
      case .failed(let error): throw error
      case .missing(let hashes):
        missing = hashes
        guard case .put(let record, _, _) = operation else { break }
        try revive(hashes, of: record, describing: describing)
      }
    }
    throw Self.blockLost(missing)
  }

  private static func blockLost(_ hashes: [BlockHash]) -> StoreError {
    let named = hashes.prefix(4).map(\.shortDescription).joined(separator: ", ")
    let names = hashes.count > 4 ? named + ", ..." : named
    return StoreError(
      .blockLost,
      "\(hashes.count) blocks of the session are gone from RAM and disk (\(names)); append their tokens again")
  }

  /// Makes resident blocks dirty again that the disk tier no longer has, parents first.
  private func revive(
    _ hashes: [BlockHash], of record: SessionRecord, describing: (BlockKey) -> BlockDescriptor?
  ) throws(StoreError) {
    let wanted = Set(hashes)
    let keys = record.blocks.filter(wanted.contains).map { BlockKey(space: record.space, hash: $0) }
    // Held, so that they are still there when the caller has described them.
    let (held, unknown, lost) = core.state.withLock { $0.holdMissing(keys) }
    defer {
      core.state.withLock { state in held.forEach { state.pool.unhold($0) } }
      core.progress.advance()
    }
    var descriptors: [BlockKey: BlockDescriptor] = [:]
    var undescribed: [BlockHash] = []
    for key in unknown {
      if let descriptor = describing(key), descriptor.key == key {
        descriptors[key] = descriptor
      } else {
        undescribed.append(key.hash)
      }
    }
    guard lost.isEmpty, undescribed.isEmpty else { throw Self.blockLost(lost.map(\.hash) + undescribed) }
    core.state.withLock { $0.makeDirty(held, descriptors) }
  }

  /// Writes back every block that is dirty now.
  package func writeBack() throws(StoreError) {
    if case .failed(let error) = try core.answer(to: WriterRequest(.flushAll)) { throw error }
  }

  /// Runs `body` on the writer thread, between batches. It may ask ``mustKeep(_:)``, but must not commit through the
  /// pager.
  package func performOnWriter<R: Sendable>(
    _ body: @escaping @Sendable () throws(StoreError) -> R
  ) throws(StoreError) -> R {
    let result = JobResult<R>()
    let request = WriterRequest(
      .job,
      job: {
        do throws(StoreError) {
          let value = try body()
          result.value.withLock { $0 = .success(value) }
        } catch {
          result.value.withLock { $0 = .failure(error) }
        }
      })
    _ = try core.answer(to: request)
    guard let value = result.value.withLock({ $0 }) else { preconditionFailure("the writer ran the closure") }
    return try value.get()
  }
}

private final class JobResult<R: Sendable>: Sendable {
  let value = Lock<Result<R, StoreError>?>(nil)
}

extension PagerState {
  /// Holds the resident blocks among `keys`; tells which of them have no descriptor and which are not resident.
  mutating func holdMissing(_ keys: [BlockKey]) -> (held: [FrameIndex], unknown: [BlockKey], lost: [BlockKey]) {
    var held: [FrameIndex] = []
    var unknown: [BlockKey] = []
    var lost: [BlockKey] = []
    for key in keys {
      guard let frame = pool.findReadable(key) else {
        lost.append(key)
        continue
      }
      pool.hold(frame)
      held.append(frame)
      if pool.contents(of: frame)?.descriptor == nil { unknown.append(key) }
    }
    return (held, unknown, lost)
  }

  mutating func makeDirty(_ frames: [FrameIndex], _ descriptors: [BlockKey: BlockDescriptor]) {
    var revived: [FrameIndex] = []
    for frame in frames where pool[frame].state == .clean {
      let key = pool[frame].key
      guard let descriptor = pool.contents(of: frame)?.descriptor ?? descriptors[key] else { continue }
      pool.makeDirty(frame, descriptor: descriptor)
      revived.append(frame)
    }
    dirtyQueue.insert(contentsOf: revived, at: 0)
  }
}
