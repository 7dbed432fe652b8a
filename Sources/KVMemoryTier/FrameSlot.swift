import KVBlocks

/// What a frame is at the moment.
package enum FrameState: UInt8, Sendable, BitwiseCopyable {
  /// Belongs to no block. It may keep its memory, to be taken again by a block of the same size.
  case free
  /// Open and private to one session, which writes its rows.
  case filling
  /// In the table; its rows are on their way from disk.
  case loading
  /// Its load came to nothing: out of the table, free as soon as those who waited for it let go.
  case failed
  /// In the table; its rows are in RAM only.
  case dirty
  /// As dirty, and the writer is reading it: pinned against eviction, readable by all.
  case writing
  /// In the table; to evict it costs nothing.
  case clean
}

/// One frame's hot state. Plain bytes, so that the pool's slots are moved and read without reference counting.
package struct FrameSlot {
  package internal(set) var key: BlockKey
  var base: UnsafeMutableRawPointer?
  /// Bytes of the frame's memory; 0 where it has none.
  package internal(set) var byteCount: Int
  /// The stamp of the block's last use that the disk tier was or will be told, microseconds.
  package var lastUse: UInt64
  /// Look-ups that found the block and that the disk tier was not told of.
  package internal(set) var hitCount: UInt32
  /// Leases on the block.
  package internal(set) var pinCount: UInt32
  /// Short uses inside the pager (a copy, a load), which end without help from outside.
  package internal(set) var holdCount: UInt32
  package internal(set) var tokenCount: UInt32
  package internal(set) var state: FrameState
  /// The disk tier has the block too, as far as this process knows.
  package internal(set) var isStored: Bool
  /// The stored copy is damaged; writing back must take its place.
  package var replacesDamaged: Bool
  /// Scratch for choosing a batch; false whenever the pager's lock is free.
  package var isMarked: Bool
  /// In the pool's list of frames that may have hits to tell.
  var isListedForHits: Bool

  init() {
    key = BlockKey(space: SpaceID(rawValue: 0), hash: .zero)
    base = nil
    byteCount = 0
    lastUse = 0
    hitCount = 0
    pinCount = 0
    holdCount = 0
    tokenCount = 0
    state = .free
    isStored = false
    replacesDamaged = false
    isMarked = false
    isListedForHits = false
  }

  /// In the table with rows that may be read.
  package var isReadable: Bool { state == .clean || state == .dirty || state == .writing }
  var isInTable: Bool { isReadable || state == .loading }
  var isEvictable: Bool { state == .clean && pinCount == 0 && holdCount == 0 }
  /// Not evictable now, but sure to become so without anybody's lease ending.
  package var isTransient: Bool {
    guard pinCount == 0 else { return false }
    switch state {
    case .dirty, .writing, .loading, .failed: return true
    case .clean: return holdCount > 0
    case .free, .filling: return false
    }
  }
}

extension BlockHash {
  static let zero = BlockHash(bytes: [UInt8](repeating: 0, count: BlockHash.byteCount))
}

/// What a frame holds, beside its rows: looked at when a block is sealed, written or evicted, never on a hit.
package struct FrameContents: Sendable {
  /// Nil for a block that was loaded: the disk tier keeps its tokens.
  package var descriptor: BlockDescriptor?
  package let layout: BlockLayout

  package init(descriptor: BlockDescriptor?, layout: BlockLayout) {
    self.descriptor = descriptor
    self.layout = layout
  }
}
