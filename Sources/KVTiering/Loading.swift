import KVBlocks
import KVMemoryTier

/// A frame to load, and the block that goes into it.
struct LoadTask: Sendable {
  let key: BlockKey
  let frame: FrameIndex
  let memory: FrameMemory
}

/// Disk to RAM. A block is loaded once, whoever needs it: its frame is in the table from the start.
extension PagerCore {
  /// Loads blocks into their frames, on this thread and the pool's. Errors are kept with the frames.
  func load(_ tasks: [LoadTask], layout: BlockLayout) {
    loadPool.run(tasks.count) { self.loadOne(tasks[$0], layout: layout) }
  }

  func loadOne(_ task: LoadTask, layout: BlockLayout) {
    let result: Result<LoadOutcome, StoreError>
    do {
      result = .success(try cold.load(task.key, layout: layout, into: task.memory.bytes))
    } catch {
      result = .failure(error)
    }
    state.withLock { state in
      switch result {
      case .success(.loaded(let tokenCount)):
        state.counters.loads += 1
        state.pool.finishLoad(task.frame, tokenCount: tokenCount)
      case .success(.absent):
        state.pool.failLoad(task.frame)
      case .success(.damaged):
        state.noteDamage(task.key)
        state.pool.failLoad(task.frame)
      case .failure(let error):
        state.loadFailures[task.frame] = error
        state.pool.failLoad(task.frame)
      }
    }
    progress.advance()
    noteActivity()
  }
}
