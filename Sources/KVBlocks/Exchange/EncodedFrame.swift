/// A block's stored bytes on their way to the disk tier: encoded on any thread, committed by the writer.
///
/// Owns its buffer and gives it back when the last reference goes. The bytes never change after `init`.
package final class EncodedFrame: Sendable {
  package let descriptor: BlockDescriptor
  /// The frame: header, checksums, planes.
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer  // because: immutable, and owned until deinit
  /// Bytes of KV rows that the frame holds, before the codec.
  package let payloadByteCount: Int
  private let release: @Sendable (UnsafeRawBufferPointer) -> Void

  package init(
    descriptor: BlockDescriptor, bytes: UnsafeRawBufferPointer, payloadByteCount: Int,
    release: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) {
    self.descriptor = descriptor
    self.bytes = bytes
    self.payloadByteCount = payloadByteCount
    self.release = release
  }

  deinit { release(bytes) }
}
