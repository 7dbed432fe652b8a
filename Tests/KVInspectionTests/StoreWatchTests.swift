import KVBlocks
import Testing

@testable import KVInspection

@Suite struct StoreWatchTests {
  private static let overtaken = StoreError(.busy, "another process wrote to the store while it was read")

  @Test func `a look that writers overtake is tried again, then shows what the last one did`() throws {
    for failureCount in 0..<StoreWatch.attemptLimit {
      var count = 0
      let found = try StoreWatch.undisturbed(else: nil) { () throws(StoreError) -> Int in
        count += 1
        if count <= failureCount { throw Self.overtaken }
        return count
      }
      #expect(found == failureCount + 1)
    }
    var count = 0
    let known = try StoreWatch.undisturbed(else: 7) { () throws(StoreError) -> Int in
      count += 1
      throw Self.overtaken
    }
    #expect(known == 7 && count == StoreWatch.attemptLimit)
    // The first look has nothing to show, and other errors are no matter of patience.
    #expect(throws: StoreError.self) {
      try StoreWatch.undisturbed(else: nil) { () throws(StoreError) -> Int in throw Self.overtaken }
    }
    count = 0
    #expect(throws: StoreError.self) {
      try StoreWatch.undisturbed(else: 7) { () throws(StoreError) -> Int in
        count += 1
        throw StoreError(.damaged, "it is")
      }
    }
    #expect(count == 1)
  }
}
