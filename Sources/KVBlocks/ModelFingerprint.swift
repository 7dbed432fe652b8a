/// What keys and values depend on besides tokens: two stores' blocks may be shared only where all of this is equal.
///
/// The layout (element types, row sizes, block size) is part of a cache space too; see ``rootHash(layout:)``.
public struct ModelFingerprint: Hashable, Sendable {
  /// The weights: a label that the user answers for, or better a digest of the weights' file.
  public var model: String
  /// A LoRA or other adapter merged at run time; empty for none.
  public var adapter: String
  /// Engine settings that change values ("v_trans", "n_rot_k", rope scaling, ...), by name.
  public var settings: [String: String]
  /// Keeps tenants apart: other salt, other space.
  public var salt: String
  /// Nil: the root hash is derived from this fingerprint and the layout. Otherwise vLLM's NONE_HASH of this seed, so
  /// that block hashes equal those of a vLLM server with that `PYTHONHASHSEED`.
  public var vllmSeed: String?

  public init(
    model: String, adapter: String = "", settings: [String: String] = [:], salt: String = "", vllmSeed: String? = nil
  ) {
    self.model = model
    self.adapter = adapter
    self.settings = settings
    self.salt = salt
    self.vllmSeed = vllmSeed
  }

  /// Canonical CBOR of the fingerprint and the layout: equal bytes, equal cache space.
  package func canonicalBytes(layout: BlockLayout) -> [UInt8] {
    var writer = CBORWriter(capacity: 256)
    writer.array(count: 7)
    writer.text("kvpager.space.1")
    writer.text(model)
    writer.text(adapter)
    writer.array(count: settings.count)
    for (name, value) in settings.inNameOrder {
      writer.array(count: 2)
      writer.text(name)
      writer.text(value)
    }
    writer.text(salt)
    if let vllmSeed { writer.text(vllmSeed) } else { writer.null() }
    writer.array(count: layout.planes.count + 1)
    writer.unsigned(UInt64(layout.blockTokenCount))
    for plane in layout.planes {
      writer.array(count: 4)
      writer.unsigned(UInt64(plane.plane.kind.rawValue))
      writer.unsigned(UInt64(plane.plane.layer))
      writer.unsigned(UInt64(plane.elementType.rawValue))
      writer.unsigned(UInt64(plane.rowByteCount))
    }
    return writer.bytes
  }

  /// The parent of a space's first blocks.
  public func rootHash(layout: BlockLayout) -> BlockHash {
    if let vllmSeed { return ChainHash.root(seed: vllmSeed) }
    return ChainHash.sha256(canonicalBytes(layout: layout))
  }
}
