import KVBlocks
import KVInterchange
import KVSimulation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

struct MalformedTests {
  private static let interesting: [UInt32] = [
    0, 1, 2, 0x7f, 0xff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
  ]

  /// Reads whatever it is: a refusal names an offset within the input, and what is accepted is written again unchanged.
  static func check(_ bytes: [UInt8], _ comment: Comment) {
    do {
      let state = try EngineFile.read(ByteSource(bytes: bytes))
      let writer = try EngineFile.writer(
        origin: state.origin, tokens: state.tokens, planes: state.planes, checkpoint: try state.readCheckpoint())
      var written: [UInt8] = []
      try writer.write(
        to: { written += $0 },
        gather: { (plane, rows, destination) throws in
          try state.copyRows(plane: plane, rows: rows, into: destination)
        }, progress: nil)
      #expect(written == bytes, comment)
    } catch let error as FormatError {
      #expect((0...bytes.count).contains(error.offset), comment)
      #expect(!error.message.isEmpty, comment)
    } catch {
      Issue.record(error, comment)
    }
  }

  @Test(arguments: BuiltStates.names)
  func `a file cut at any byte is refused or is a smaller state`(_ name: String) throws {
    let bytes = try BuiltStates.named(name)
    for count in 0..<bytes.count { Self.check(Array(bytes.prefix(count)), "\(name) cut at \(count)") }
  }

  @Test func `a sequence file cut at any byte is refused`() throws {
    let bytes = try BuiltStates.named("ggsq 4 plain")
    // Where the keys end the file looks like one of a model with latent attention, which has keys alone.
    let accepted = bytes.indices.filter { count in
      (try? SequenceState.read(ByteSource(bytes: Array(bytes.prefix(count))))) != nil
    }
    #expect(accepted == [bytes.count - 2 * (12 + 5 * 8)])
  }

  @Test func `bytes after the end are refused at their offset`() throws {
    for name in ["ggsq 4 plain", "ggsq 3 v_trans", "ggsn", "slot file"] {
      let bytes = try BuiltStates.named(name)
      let error = #expect(throws: FormatError.self) { try SequenceState.read(ByteSource(bytes: bytes + [0, 0, 0])) }
      #expect(error?.offset == bytes.count, "\(name)")
    }
  }

  @Test func `any length may claim to be huge`() throws {
    let before = Self.peakKiB()
    for (name, bytes) in BuiltStates.all + [("safetensors", try Fixtures.safetensors().everything())] {
      for offset in 0...(bytes.count - 4) {
        var changed = bytes
        changed.replaceSubrange(offset..<offset + 4, with: [0xff, 0xff, 0xff, 0xff])
        Self.check(changed, "\(name) with 0xffffffff at \(offset)")
      }
    }
    #expect(Self.peakKiB() - before < 256 << 10, "no length is believed before it is checked")
  }

  /// KVPAGER_LONG=1 runs a hundred times as many.
  @Test(arguments: 0..<4)
  func `mutated input is refused or written again unchanged`(_ lane: Int) throws {
    let isLong = getenv("KVPAGER_LONG") != nil
    let files = BuiltStates.all + [("safetensors", try Fixtures.safetensors().everything())]
    for round in 0..<(isLong ? 100_000 : 1000) {
      let seed = UInt64(lane * 1_000_000 + round)
      var random = SplitMix64(seed: seed)
      let file = files[Int.random(in: 0..<files.count, using: &random)]
      Self.check(Self.mutated(file.bytes, &random), "\(file.name), seed \(seed)")
    }
  }

  private static func mutated(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...3, using: &random) where bytes.count > 8 {
      let offset = Int.random(in: 0..<bytes.count - 4, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[offset] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2:
        let value = interesting[Int.random(in: 0..<interesting.count, using: &random)]
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset & ~3..<(offset & ~3) + 4, with: $0) }
      case 3: bytes.removeSubrange(offset..<min(bytes.count, offset + Int.random(in: 1...16, using: &random)))
      case 4: bytes.insert(contentsOf: bytes[offset..<min(bytes.count, offset + 12)], at: offset)
      default: bytes.removeLast(Int.random(in: 1...min(64, bytes.count - 1), using: &random))
      }
    }
    return bytes
  }

  private static func peakKiB() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return Int(usage.ru_maxrss) >> 10
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Int(usage.ru_maxrss)
    #endif
  }

  @Test func `errors name the field and its offset`() throws {
    func refusal(_ name: String, _ offset: Int, _ value: UInt32) throws -> FormatError? {
      var bytes = try BuiltStates.named(name)
      withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
      do throws(FormatError) {
        _ = try SequenceState.read(ByteSource(bytes: bytes))
        return nil
      } catch {
        return error
      }
    }
    let version = try refusal("ggsq 4 plain", 4, 5)
    #expect(version == FormatError("ggsq version 5 is not known; kvpager reads 2 to 4", offset: 4))
    let tokens = try refusal("ggsq 4 plain", 8, 0xffff_ffff)
    #expect(tokens?.offset == 8)
    #expect(tokens?.message.contains("number of tokens") == true)
    // 12 bytes of file header, 5 tokens, stream and cell counts, 5 cells of 12 bytes, then v_trans, layers, rotation.
    let data = 12 + 20 + 8 + 60
    let order = try refusal("ggsq 4 plain", data, 2)
    #expect(order?.offset == data)
    #expect(order?.message.contains("v_trans") == true)
    let type = try refusal("ggsq 4 plain", data + 16, 12345)
    #expect(type == FormatError("layer 0's keys have the unknown ggml type 12345", offset: data + 16))
    let row = try refusal("ggsq 4 plain", data + 20, 7)
    #expect(row?.offset == data + 20)
    #expect(row?.message.contains("multiple of 2") == true)
    let position = try refusal("ggsq 4 plain", 40, 0xffff_fff0)
    #expect(position == FormatError("cell 0 has the position -16", offset: 40))
  }

  @Test func `a source that is no file is refused`() throws {
    #expect(throws: StoreError.self) { try ByteSource(path: Samples.directory) }
    let missing = #expect(throws: StoreError.self) { try ByteSource(path: Samples.path("none")) }
    #expect(missing?.code == .notFound)
    #expect(throws: FormatError.self) { try EngineFile.read(ByteSource(bytes: [])) }
  }
}
