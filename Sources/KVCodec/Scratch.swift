// Invariants:
// - `base` owns `capacity` bytes, 64-byte aligned; both change together, in `bytes(_:)` only.
// - Memory is kept until the owner goes: a steady state allocates nothing.

/// Memory that is used again and again: page faults on fresh buffers cost more than decoding into them.
struct Scratch: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0

  init() {}

  deinit { base?.deallocate() }

  /// At least `count` bytes. What they held before is lost when they must grow; pointers from earlier calls are void
  /// then.
  mutating func bytes(_ count: Int) -> UnsafeMutableRawPointer {
    if let base, count <= capacity { return base }
    base?.deallocate()
    // Sizes grow by a quarter at least, so that slowly growing requests do not allocate each time.
    let size = max(count, capacity + capacity / 4, 4096)
    let fresh = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    base = fresh
    capacity = size
    return fresh
  }
}
