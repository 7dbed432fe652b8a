import Foundation
import KVPager
import KVSimulation
import Testing

@Suite struct ReadmeTests {
  /// Stands for an engine: computes a row's bytes from its position, and takes gathered keys.
  struct Engine {
    let keys: UnsafeMutableRawBufferPointer

    func compute(_ rows: borrowing RowWriter) throws {
      for plane in rows.layout.planes.indices {
        let byteCount = rows.layout.planes[plane].rowByteCount
        rows.withUnsafeRows(ofPlane: plane) { memory in
          for (row, token) in rows.tokens.enumerated() {
            let start: Int = row * byteCount
            for byte in start..<start + byteCount { memory[byte] = UInt8(token) }
          }
        }
      }
    }
  }

  @Test func `the README's code does what it says`() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "kvpager-readme-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let planes = [Plane(.keys, layer: 0), Plane(.values, layer: 0)].map {
      PlaneLayout($0, elementType: .f16, rowByteCount: 64)
    }
    let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
    let prompt: [Token] = Array(0..<40)
    let keys = UnsafeMutableRawBufferPointer.allocate(byteCount: 40 * 64, alignment: 64)
    defer { keys.deallocate() }
    let engine = Engine(keys: keys)

    // README begins
    let store = try Store(at: path, configuration: StoreConfiguration(memoryBudgetBytes: 64 << 20))
    let space = try store.cacheSpace(for: ModelFingerprint(model: "smollm2-135m"), layout: layout)

    let known = try space.longestPrefix(of: prompt)  // computed by any session, process or run
    let chat = try space.createSession(named: "monday", startingWith: prompt, from: known)
    try chat.append(Array(prompt[chat.tokenCount...])) { rows in try engine.compute(rows) }
    try chat.commit()  // on disk, synced: a restart may come

    let resumed = try store.session(named: "monday")
    try resumed.gather(plane: 0, into: engine.keys)
    // README ends

    #expect(resumed.tokenCount == 40)
    #expect(keys.enumerated().allSatisfy { $0.element == UInt8($0.offset / 64) })
    #expect(try space.longestPrefix(of: prompt).tokenCount == 40)
  }

  @Test func `the README shows the very code that is tested`() throws {
    let file = URL(filePath: #filePath)
    let root = file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let source = try String(contentsOf: file, encoding: .utf8)
    let tested = try #require(
      source.split(separator: "// README begins\n").last?.split(separator: "    // README ends").first)
    let code = tested.split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingPrefix("    ") }
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    #expect(readme.contains("```swift\n" + code.joined(separator: "\n") + "```"))
  }
}
