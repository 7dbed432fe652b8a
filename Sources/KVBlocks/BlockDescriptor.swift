/// Everything about a block but its rows: enough to recompute its hash and to explain a store.
package struct BlockDescriptor: Hashable, Sendable {
  package let key: BlockKey
  package let parent: BlockHash
  package let tokens: [Token]
  /// Canonical CBOR of the extra keys (`[0xf6]`, null, where there are none).
  package let encodedExtra: [UInt8]

  package init(key: BlockKey, parent: BlockHash, tokens: [Token], encodedExtra: [UInt8]) {
    self.key = key
    self.parent = parent
    self.tokens = tokens
    self.encodedExtra = encodedExtra
  }

  /// Describes the block of `tokens` after `parent`, computing its hash.
  package init(space: SpaceID, parent: BlockHash, tokens: [Token], extra: [ExtraKey] = []) {
    let encoded = ExtraKey.encode(extra)
    self.init(
      key: BlockKey(space: space, hash: ChainHash.hash(parent: parent, tokens: tokens, encodedExtra: encoded)),
      parent: parent, tokens: tokens, encodedExtra: encoded)
  }
}
