import Testing

@testable import KVBlocks

@Suite struct ModelFingerprintTests {
  static let planes = [
    PlaneLayout(Plane(.keys, layer: 0), elementType: .f16, rowByteCount: 384),
    PlaneLayout(Plane(.values, layer: 0), elementType: .f16, rowByteCount: 384),
  ]
  let layout: BlockLayout
  let fingerprint = ModelFingerprint(
    model: "smollm2-135m", adapter: "a", settings: ["n_rot": "64", "v_trans": "0"], salt: "s")

  init() throws { layout = try BlockLayout(blockTokenCount: 64, planes: Self.planes) }

  @Test func `equal fingerprints have one root, in whatever order settings were given`() {
    let again = ModelFingerprint(
      model: "smollm2-135m", adapter: "a",
      settings: Dictionary(uniqueKeysWithValues: [("v_trans", "0"), ("n_rot", "64")]), salt: "s")
    #expect(again.rootHash(layout: layout) == fingerprint.rootHash(layout: layout))
  }

  @Test func `a root differs where any field of the fingerprint differs`() {
    var others: [ModelFingerprint] = Array(repeating: fingerprint, count: 8)
    others[0].model += "x"
    others[1].adapter = ""
    others[2].salt = ""
    others[3].settings["n_rot"] = "65"
    others[4].settings["n_rot"] = nil
    others[5].settings["more"] = ""
    others[6].settings = ["n_rot": "0", "v_trans": "64"]
    others[7].vllmSeed = "0"
    let roots = Set((others + [fingerprint]).map { $0.rootHash(layout: layout) })
    #expect(roots.count == 9)
  }

  @Test func `text that moves from one field to the next is another fingerprint`() {
    let pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    let roots = pairs.map { ModelFingerprint(model: $0.0, adapter: $0.1).rootHash(layout: layout) }
    #expect(Set(roots).count == pairs.count)
  }

  @Test func `a root differs where anything of the layout differs`() throws {
    func plane(_ kind: Plane.Kind, _ layer: Int, _ type: ElementType, _ byteCount: Int) -> PlaneLayout {
      PlaneLayout(Plane(kind, layer: layer), elementType: type, rowByteCount: byteCount)
    }
    let others = try [
      BlockLayout(blockTokenCount: 64, planes: Self.planes),
      BlockLayout(blockTokenCount: 32, planes: Self.planes),
      BlockLayout(blockTokenCount: 64, planes: Self.planes.reversed()),
      BlockLayout(blockTokenCount: 64, planes: [Self.planes[0]]),
      BlockLayout(blockTokenCount: 64, planes: [Self.planes[0], plane(.values, 0, .bf16, 384)]),
      BlockLayout(blockTokenCount: 64, planes: [Self.planes[0], plane(.values, 0, .f16, 386)]),
      BlockLayout(blockTokenCount: 64, planes: [Self.planes[0], plane(.values, 1, .f16, 384)]),
    ]
    #expect(Set(others.map { fingerprint.rootHash(layout: $0) }).count == others.count)
  }

  @Test func `with a seed the root is vLLM's and hashes equal a server's`() {
    var seeded = fingerprint
    seeded.vllmSeed = ChainHash.vllmDefaultSeed
    #expect(seeded.rootHash(layout: layout) == ChainHash.root(seed: ChainHash.vllmDefaultSeed))
    #expect(seeded.canonicalBytes(layout: layout) != fingerprint.canonicalBytes(layout: layout))
  }
}

@Suite struct StoreErrorTests {
  @Test func `an error tells its message and then its cause`() {
    #expect("\(StoreError(.diskFull, "The disk is full."))" == "The disk is full.")
    #expect("\(StoreError(.damaged, "Damaged.", cause: "MDB_CORRUPTED"))" == "Damaged. (MDB_CORRUPTED)")
    #expect(StoreError.invalidArgument("x").code == .invalidArgument)
  }
}

@Suite struct EncodedFrameTests {
  /// Counts from a closure that any thread may call.
  final class Count: @unchecked Sendable {  // because: used by this test's one thread
    var value = 0
  }

  @Test func `a frame gives its buffer back once, when the last reference goes`() {
    let released = Count()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 7)
    let root = ChainHash.root(seed: "0")
    do {
      let frame = EncodedFrame(
        descriptor: BlockDescriptor(space: SpaceID(rawValue: 0), parent: root, tokens: [1]),
        bytes: UnsafeRawBufferPointer(buffer), payloadByteCount: 8
      ) {
        released.value += 1
        $0.deallocate()
      }
      let other = frame
      #expect(other.bytes.allSatisfy { $0 == 7 })
      #expect(released.value == 0)
    }
    #expect(released.value == 1)
  }
}
