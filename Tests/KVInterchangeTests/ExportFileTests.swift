import KVBlocks
import KVInterchange
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

struct ExportFileTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/kvpager-export-XXXXXX".utf8CString)
    let isMade = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(isMade)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { rmdir(path) }
    try body(path)
  }

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private func count(in directory: String) -> Int {
    guard let stream = opendir(directory) else { return -1 }
    defer { closedir(stream) }
    var count = -2
    while readdir(stream) != nil { count += 1 }
    return count
  }

  @Test func `a file gets its name when it is whole, and its bytes are the import's`() throws {
    try withDirectory { directory in
      let path = directory + "/state.ggsq"
      defer { unlink(path) }
      let state = try EngineFile.read(try Samples.source(Samples.transposed))
      let writer = try EngineFile.writer(origin: state.origin, tokens: state.tokens, planes: state.planes)
      let file = try ExportFile(path: path)
      var reported: [Int] = []
      try writer.write(
        to: file,
        gather: { (plane, rows, destination) throws(StoreError) in
          do throws(FormatError) {
            try state.copyRows(plane: plane, rows: rows, into: destination)
          } catch {
            throw StoreError(.inputOutput, error.description)
          }
        },
        progress: { reported.append($0) })
      #expect(!exists(path))
      try file.finish()
      #expect(try ByteSource(path: path).everything() == Samples.bytes(Samples.transposed))
      #expect(reported.last == writer.byteCount)
      #expect(reported == reported.sorted())
    }
  }

  @Test func `a file given up leaves nothing behind`() throws {
    try withDirectory { directory in
      do {
        let file = try ExportFile(path: directory + "/state")
        try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try file.write($0) }
        #expect(!exists(file.path))
      }
      #expect(count(in: directory) == 0)
    }
  }

  @Test func `a file takes the place of another in one step`() throws {
    try withDirectory { directory in
      let path = directory + "/state"
      defer { unlink(path) }
      for byte in [UInt8(1), 2] {
        let file = try ExportFile(path: path)
        try [UInt8](repeating: byte, count: 100).withUnsafeBytes { try file.write($0) }
        try file.finish()
        #expect(try ByteSource(path: path).everything() == [UInt8](repeating: byte, count: 100))
        #expect(count(in: directory) == 1)
      }
    }
  }

  #if os(Linux)
    @Test func `an export that is killed leaves nothing behind`() async throws {
      var template = Array("/tmp/kvpager-export-XXXXXX".utf8CString)
      let isMade = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkdtemp($0) != nil } ?? false }
      try #require(isMade)
      let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      defer { rmdir(directory) }
      await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
        let file = try ExportFile(path: directory + "/state")
        try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try file.write($0) }
        kill(getpid(), SIGKILL)
      }
      #expect(count(in: directory) == 0)
    }
  #endif

  @Test func `an error of the caller's ends the export and comes out as it is`() throws {
    let state = try EngineFile.read(try Samples.source(Samples.transposed))
    let writer = try EngineFile.writer(origin: state.origin, tokens: state.tokens, planes: state.planes)
    let lost = StoreError(.blockLost, "lost")
    var thrown: StoreError?
    do throws(StoreError) {
      try writer.write(
        to: { (_) throws(StoreError) in },
        gather: { (plane, _, _) throws(StoreError) in if plane == 31 { throw lost } },
        progress: nil)
    } catch {
      thrown = error
    }
    #expect(thrown == lost)
  }
}
