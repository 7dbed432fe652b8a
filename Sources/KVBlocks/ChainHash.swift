import Crypto

/// How a block gets its ``BlockHash``: bit-compatible with vLLM's `sha256_cbor` scheme
/// (`SHA-256(canonical CBOR of [parent, [token ids], extra])`).
public enum ChainHash {
  /// The seed of vLLM's NONE_HASH where `PYTHONHASHSEED` is not set.
  public static let vllmDefaultSeed = "vllm-none-hash"

  /// vLLM's NONE_HASH: the parent of the first block, from a seed text.
  public static func root(seed: String) -> BlockHash {
    var writer = CBORWriter()
    writer.text(seed)
    return sha256(writer.bytes)
  }

  /// The identity of the block with `tokens` (1 or more) after `parent`.
  public static func hash(parent: BlockHash, tokens: some Collection<Token>, extra: [ExtraKey] = []) -> BlockHash {
    hash(parent: parent, tokens: tokens, encodedExtra: ExtraKey.encode(extra))
  }

  /// As ``hash(parent:tokens:extra:)``, with `extra` in canonical CBOR already.
  package static func hash(
    parent: BlockHash, tokens: some Collection<Token>, encodedExtra: [UInt8]
  ) -> BlockHash {
    // Once for each block of every look-up: on the stack, for blocks of a usual size.
    let byteCountLimit = 1 + (2 + BlockHash.byteCount) + CBORHead.byteCountLimit + 5 * tokens.count + encodedExtra.count
    return withUnsafeTemporaryAllocation(byteCount: byteCountLimit, alignment: 8) { bytes in
      var end = CBORHead.write(major: 4, 3, to: bytes, at: 0)
      end = CBORHead.write(major: 2, UInt64(BlockHash.byteCount), to: bytes, at: end)
      parent.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(from: $0) }
      end = CBORHead.write(major: 4, UInt64(tokens.count), to: bytes, at: end + BlockHash.byteCount)
      for token in tokens { end = CBORHead.write(Int64(token), to: bytes, at: end) }
      encodedExtra.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(from: $0) }
      return sha256(UnsafeRawBufferPointer(rebasing: bytes[..<(end + encodedExtra.count)]))
    }
  }

  /// The hashes of the full blocks of `tokens`, `blockTokenCount` tokens each, root first. A rest shorter than a block
  /// has none.
  public static func hashes(
    ofFullBlocksIn tokens: [Token], blockTokenCount: Int, root: BlockHash
  ) -> [BlockHash] {
    precondition(blockTokenCount > 0, "a block holds at least one token")
    var hashes: [BlockHash] = []
    hashes.reserveCapacity(tokens.count / blockTokenCount)
    var parent = root
    var start = 0
    while start + blockTokenCount <= tokens.count {
      parent = hash(parent: parent, tokens: tokens[start..<start + blockTokenCount])
      hashes.append(parent)
      start += blockTokenCount
    }
    return hashes
  }

  package static func sha256(_ bytes: [UInt8]) -> BlockHash { bytes.withUnsafeBytes { sha256($0) } }

  private static func sha256(_ bytes: UnsafeRawBufferPointer) -> BlockHash {
    var hasher = SHA256()
    hasher.update(bufferPointer: bytes)
    return hasher.finalize().withUnsafeBytes { BlockHash(bytes: $0) }
  }
}
