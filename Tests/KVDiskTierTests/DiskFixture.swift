import KVBlocks
import Testing

@testable import KVDiskTier

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A directory of its own, removed with all in it when the last reference goes.
final class StoreDirectory: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/kvpager-disk-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) } ?? ""
    }
  }

  deinit { remove(path) }

  private func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { self.remove(path + "/" + name) }
      }
      closedir(directory)
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  var dataPath: String { path + "/data.mdb" }

  /// Overwrites bytes of a file in this directory.
  func overwrite(_ name: String = "data.mdb", at offset: Int, with bytes: [UInt8]) {
    let descriptor = open(path + "/" + name, O_RDWR)
    precondition(descriptor >= 0)
    precondition(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    close(descriptor)
  }

  func contents(_ name: String = "data.mdb") -> [UInt8] {
    let descriptor = open(path + "/" + name, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = read(descriptor, &bytes, bytes.count)
    precondition(count == bytes.count)
    return bytes
  }

  func write(_ bytes: [UInt8], to name: String) {
    let descriptor = open(path + "/" + name, O_RDWR | O_CREAT | O_TRUNC, 0o644)
    let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    precondition(count == bytes.count)
    close(descriptor)
  }

  var entryNames: [String] {
    var names: [String] = []
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// A store with one space and rows made from a block's hash, so that every block has bytes of its own that can be told.
struct TestStore {
  let directory: StoreDirectory
  var tier: DiskTier
  let space: SpaceRecord
  let options: DiskTierOptions

  var layout: BlockLayout { space.layout }

  static func layout(blockTokenCount: Int = 16, rowByteCount: Int = 64, layerCount: Int = 2) throws -> BlockLayout {
    var planes: [PlaneLayout] = []
    for layer in 0..<layerCount {
      planes.append(PlaneLayout(Plane(.keys, layer: layer), elementType: .bf16, rowByteCount: rowByteCount))
      planes.append(PlaneLayout(Plane(.values, layer: layer), elementType: .bf16, rowByteCount: rowByteCount))
    }
    return try BlockLayout(blockTokenCount: blockTokenCount, planes: planes)
  }

  init(options: DiskTierOptions = DiskTierOptions(), layout: BlockLayout? = nil) throws {
    directory = StoreDirectory()
    self.options = options
    tier = try DiskTier(path: directory.path, options: options)
    space = try tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "test"), layout: try layout ?? Self.layout())
  }

  /// A store that another process made.
  init(path: String, tier: DiskTier, space: SpaceRecord) {
    directory = StoreDirectory()
    options = DiskTierOptions()
    self.tier = tier
    self.space = space
  }

  /// Closes the store and opens it anew.
  mutating func reopen(options: DiskTierOptions? = nil) throws {
    tier.close()
    tier = try DiskTier(path: directory.path, options: options ?? self.options)
  }

  func key(_ hash: BlockHash) -> BlockKey { BlockKey(space: space.id, hash: hash) }

  /// The chain of blocks of `tokens`, the tail last.
  func chain(_ tokens: [Token]) -> [BlockDescriptor] {
    var parent = space.root
    var chain: [BlockDescriptor] = []
    var start = 0
    while start < tokens.count {
      let end = min(start + layout.blockTokenCount, tokens.count)
      chain.append(BlockDescriptor(space: space.id, parent: parent, tokens: Array(tokens[start..<end])))
      parent = chain[chain.count - 1].key.hash
      start = end
    }
    return chain
  }

  /// A frame of rows that are random, the same for the same block.
  func frame(of descriptor: BlockDescriptor) -> [UInt8] {
    var state = descriptor.key.hash.words.0 | 1
    var bytes = [UInt8](repeating: 0, count: layout.frameByteCount)
    bytes.withUnsafeMutableBytes { raw in
      for offset in stride(from: 0, to: raw.count, by: 8) {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        raw.storeBytes(of: state, toByteOffset: offset, as: UInt64.self)
      }
    }
    return bytes
  }

  func write(
    _ descriptor: BlockDescriptor, lastUse: UInt64 = 1, replacesDamaged: Bool = false
  ) throws -> ColdBatch.Write {
    let bytes = frame(of: descriptor)
    let encoded = try bytes.withUnsafeBytes { try tier.encode(descriptor, layout: layout, frame: $0) }
    return ColdBatch.Write(frame: encoded, lastUse: lastUse, replacesDamaged: replacesDamaged)
  }

  /// Stores a chain, tail stamped oldest: block `i` of `n` gets `base + n - i`.
  @discardableResult
  func store(_ chain: [BlockDescriptor], base: UInt64 = 0) throws -> ColdCommit {
    let writes = try chain.enumerated().map { try write($1, lastUse: base + UInt64(chain.count - $0)) }
    return try tier.commit(ColdBatch(writes: writes), isProtected: { _ in false })
  }

  func commit(_ operations: SessionOperation...) throws -> [ColdCommit.OperationOutcome] {
    try tier.commit(ColdBatch(operations: operations), isProtected: { _ in false }).operations
  }

  func put(
    _ name: String, _ tokens: [Token], metadata: [String: String] = [:],
    checkpoint: SessionOperation.CheckpointChange = .keep, condition: SessionOperation.Condition = .absent
  ) -> SessionOperation {
    let record = SessionRecord(
      space: space.id, name: name, tokens: tokens, blocks: chain(tokens).map(\.key.hash), metadata: metadata)
    return .put(record, checkpoint: checkpoint, condition: condition)
  }

  /// The rows of a block as the store gives them; nil for a miss.
  func load(_ descriptor: BlockDescriptor) throws -> (LoadOutcome, matches: Bool) {
    var bytes = [UInt8](repeating: 0, count: layout.frameByteCount)
    let outcome = try bytes.withUnsafeMutableBytes { try tier.load(descriptor.key, layout: layout, into: $0) }
    let expected = frame(of: descriptor)
    let matches = layout.planes.indices.allSatisfy { plane in
      let range = layout.byteRange(ofPlane: plane, rows: 0..<descriptor.tokens.count)
      return bytes[range] == expected[range]
    }
    return (outcome, matches)
  }

  func isWhole(_ descriptor: BlockDescriptor) throws -> Bool {
    let (outcome, matches) = try load(descriptor)
    return outcome == .loaded(tokenCount: descriptor.tokens.count) && matches
  }
}

func tokens(_ range: Range<Int>, offset: Int = 0) -> [Token] { range.map { Token($0 + offset) } }
