import KVBlocks
import KVMemoryTier

/// A private frame to write one block's rows into. Sealing it makes a block; dropping it gives the frame back.
package struct OpenFrame: ~Copyable, Sendable {
  private let pager: Pager
  let frame: FrameIndex
  private let memory: FrameMemory
  private var isOpen = true

  init(pager: Pager, frame: FrameIndex, memory: FrameMemory) {
    self.pager = pager
    self.frame = frame
    self.memory = memory
  }

  deinit {
    if isOpen { pager.giveBack(frame) }
  }

  /// The frame, laid out as ``BlockLayout`` says. Its first bytes are whatever was there before.
  package var bytes: UnsafeMutableRawBufferPointer { memory.bytes }

  /// The pager takes the frame; `deinit` has nothing left to do.
  mutating func handOver() -> FrameIndex {
    isOpen = false
    return frame
  }
}

/// What became of a filled frame.
package enum SealOutcome: Hashable, Sendable {
  /// The block is new: shared from now on, and written back in time.
  case added
  /// The block was resident or stored already; the frame was given back.
  case alreadyPresent
}
