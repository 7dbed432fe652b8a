import KVBlocks
import Testing

@testable import KVCodec

/// What the codec makes of rows that a real engine computed.
@Suite struct SampleTests {
  @Test(arguments: [
    ("smollm2-135m_48tok_bf16_fa.v4.ggsq", 48, 1.40), ("smollm2-135m_48tok_bf16_fa.v4.ggsq", 16, 1.38),
    ("smollm2-135m_48tok_f16_fa.v3.ggsq", 48, 1.11), ("smollm2-135m_48tok_f16_fa.v3.ggsq", 16, 1.10),
    ("smollm2-135m_48tok_q8_0_fa.v4.ggsq", 48, 1.03), ("smollm2-135m_48tok_q8_0_fa.v4.ggsq", 16, 1.01),
  ])
  func `real rows shrink by what they should, headers included`(
    name: String, blockTokenCount: Int, least: Double
  ) throws {
    let ratio = try SampleRows.read(name).ratio(blockTokenCount: blockTokenCount)
    print("\(name) in blocks of \(blockTokenCount): \(ratio)")
    #expect(ratio >= least)
  }
}
