import KVBlocks
import KVCodec

// Invariants:
// - An encoder or decoder is in its list or with one caller, never both.
// - `spareByteCount` is the sum of the spare buffers' sizes, at most `spareByteLimit`.

/// Encoders, decoders and frame buffers that are used again: fresh memory costs a page fault every 4 KiB, which is more
/// than the codec's own work.
final class CodecPool: Sendable {
  final class Encoder {
    var codec = BlockEncoder()
  }

  final class Decoder {
    var codec = BlockDecoder()
  }

  private struct Idle<Codec>: @unchecked Sendable {  // because: a codec in the list has no other owner
    var codecs: [Codec] = []
  }

  private struct Buffers: @unchecked Sendable {  // because: a spare buffer has no other owner
    var spare: [Int: [UnsafeMutableRawBufferPointer]] = [:]
    var spareByteCount = 0
  }

  static let spareByteLimit = 128 << 20
  private let encoders = Lock<Idle<Encoder>>(Idle())
  private let decoders = Lock<Idle<Decoder>>(Idle())
  private let buffers = Lock<Buffers>(Buffers())

  deinit {
    buffers.withLock { for list in $0.spare.values { for buffer in list { buffer.deallocate() } } }
  }

  func withEncoder<R, E: Error>(_ body: (inout BlockEncoder) throws(E) -> R) throws(E) -> R {
    let encoder = encoders.withLock { $0.codecs.popLast() } ?? Encoder()
    defer { encoders.withLock { $0.codecs.append(encoder) } }
    return try body(&encoder.codec)
  }

  func withDecoder<R, E: Error>(_ body: (inout BlockDecoder) throws(E) -> R) throws(E) -> R {
    let decoder = decoders.withLock { $0.codecs.popLast() } ?? Decoder()
    defer { decoders.withLock { $0.codecs.append(decoder) } }
    return try body(&decoder.codec)
  }

  /// A copy of `bytes` that lives until it is given to ``release(_:)``.
  func retain(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let capacity = Self.capacity(for: bytes.count)
    let spare = buffers.withLock { buffers -> UnsafeMutableRawBufferPointer? in
      guard let buffer = buffers.spare[capacity]?.popLast() else { return nil }
      buffers.spareByteCount -= capacity
      return buffer
    }
    let buffer = spare ?? .allocate(byteCount: capacity, alignment: 64)
    buffer.copyMemory(from: bytes)
    return UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count])
  }

  func release(_ bytes: UnsafeRawBufferPointer) {
    let capacity = Self.capacity(for: bytes.count)
    let buffer = UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(mutating: bytes.baseAddress), count: capacity)
    let isKept = buffers.withLock { buffers -> Bool in
      guard buffers.spareByteCount + capacity <= Self.spareByteLimit else { return false }
      buffers.spare[capacity, default: []].append(buffer)
      buffers.spareByteCount += capacity
      return true
    }
    if !isKept { buffer.deallocate() }
  }

  /// Buffers come in sizes an eighth apart, so that frames of like size share them.
  static func capacity(for byteCount: Int) -> Int {
    let least = max(byteCount, 4096)
    let step = 1 << max(12, Int.bitWidth - 4 - least.leadingZeroBitCount)
    return (least + step - 1) / step * step
  }
}
