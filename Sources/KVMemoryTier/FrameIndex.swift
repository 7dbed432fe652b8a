/// The place of a resident block in RAM. Never interchangeable with a block's hash, nor with a plain `Int`.
package struct FrameIndex: Hashable, Sendable, BitwiseCopyable {
  package let rawValue: UInt32

  @inline(__always)
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  @inline(__always)
  package init(_ slot: Int) { rawValue = UInt32(truncatingIfNeeded: slot) }

  @inline(__always)
  package var slot: Int { Int(rawValue) }
}

/// Where a frame's bytes lie. Whoever holds or pins the frame may read them; only its filler or loader may write them.
package struct FrameMemory: @unchecked Sendable {  // because: pins and holds decide who may touch the bytes
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  package var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: byteCount) }
}
