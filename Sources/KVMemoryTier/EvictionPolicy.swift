/// Which resident block leaves RAM next. One policy per file.
///
/// The pool tells a policy of every block's life; the policy keeps the order. All calls come under the pager's lock,
/// with chains told deepest block first, so that a policy which orders by time evicts leaves before their parents.
package protocol EvictionPolicy: AnyObject, Sendable {
  /// Frames up to this many exist from now on.
  func grow(toFrameCount count: Int)
  /// A block became resident in `frame`. A new child comes `behind` its parent: it leaves RAM before it.
  func admit(_ frame: FrameIndex, hash: UInt64, behind parent: FrameIndex?)
  /// An unpinned resident block was used.
  func use(_ frame: FrameIndex)
  /// The first pin: no victim until released.
  func hold(_ frame: FrameIndex)
  /// The last pin is gone.
  func release(_ frame: FrameIndex)
  /// The block leaves RAM.
  func remove(_ frame: FrameIndex, hash: UInt64)
  /// The next to go among those for which `isEvictable` holds.
  func victim(where isEvictable: (FrameIndex) -> Bool) -> FrameIndex?
}

/// The policies by name.
package enum EvictionChoice: String, CaseIterable, Hashable, Sendable {
  /// Least recently used first, a chain's leaves before their parents.
  case tailFirstLRU = "tail-first-lru"
  /// S3-FIFO: a small queue on probation, a main queue, and a memory of what left the small one.
  case s3FIFO = "s3-fifo"

  package func makePolicy() -> any EvictionPolicy {
    switch self {
    case .tailFirstLRU: TailFirstLRU()
    case .s3FIFO: S3FIFO()
    }
  }
}
