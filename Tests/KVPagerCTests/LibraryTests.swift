import CKVPager
import KVPagerC
import Testing

@Suite struct `The library` {
  @Test func `its version is the header's`() {
    #expect(kvpager_abi_version() == KVPAGER_ABI_VERSION)
    #expect(!String(cString: kvpager_version()).isEmpty)
  }
}
