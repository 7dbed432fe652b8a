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
    var writer = CBORWriter(capacity: 48 + 5 * tokens.count + encodedExtra.count)
    writer.array(count: 3)
    parent.withUnsafeBytes { writer.byteString($0) }
    writer.array(count: tokens.count)
    for token in tokens { writer.integer(Int64(token)) }
    writer.encoded(encodedExtra)
    return sha256(writer.bytes)
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

  package static func sha256(_ bytes: [UInt8]) -> BlockHash {
    var hasher = SHA256()
    bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    return hasher.finalize().withUnsafeBytes { BlockHash(bytes: $0) }
  }
}
