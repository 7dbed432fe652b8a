/// What a block's values depend on besides its tokens and its parents: the `extra` of vLLM's block hash, in its order.
public enum ExtraKey: Hashable, Sendable {
  /// A LoRA adapter, by name.
  case lora(name: String)
  /// A multimodal input whose placeholder tokens lie in the block, and the offset at which they start.
  case multimodal(identifier: String, offset: Int)
  /// Keeps one tenant's blocks apart from another's. First block only.
  case cacheSalt(String)
  /// kvpager's own: the same tokens with other bytes than the block already stored (another build or batch shape
  /// computed them). `digest` is the hexadecimal SHA-256 of the rows. Everything after such a block hangs on it, so
  /// bytes are never mixed.
  case variant(digest: String)

  package func write(to writer: inout CBORWriter) {
    switch self {
    case .lora(let name):
      writer.array(count: 2)
      writer.text("lora")
      writer.text(name)
    case .multimodal(let identifier, let offset):
      writer.array(count: 3)
      writer.text("mm")
      writer.text(identifier)
      writer.integer(Int64(offset))
    case .cacheSalt(let salt):
      writer.array(count: 2)
      writer.text("cache_salt")
      writer.text(salt)
    case .variant(let digest):
      writer.array(count: 2)
      writer.text("kvpager.variant")
      writer.text(digest)
    }
  }

  /// Canonical CBOR of a list of keys as it stands in the hash: null for an empty list, else an array.
  package static func encode(_ keys: [ExtraKey]) -> [UInt8] {
    var writer = CBORWriter()
    if keys.isEmpty {
      writer.null()
    } else {
      writer.array(count: keys.count)
      for key in keys { key.write(to: &writer) }
    }
    return writer.bytes
  }
}
