import KVBlocks
import Testing

@testable import KVStudy

/// What is measured, of what, and what is refused.
@Suite struct StudyMeasurementTests {
  private func layout(_ kinds: [[Plane]], rowByteCount: Int = 64) throws -> BlockLayout {
    try BlockLayout(
      blockTokenCount: 16,
      planes: kinds.flatMap { $0 }.map { PlaneLayout($0, elementType: .f16, rowByteCount: rowByteCount) })
  }

  @Test func `rows to compress are keys and values of the first layer and one in the middle, in any order of planes`()
    throws
  {
    func planes(_ kind: Plane.Kind) -> [Plane] { (0..<30).map { Plane(kind, layer: $0) } }
    let pairs = (0..<30).map { [Plane(.keys, layer: $0), Plane(.values, layer: $0)] }
    let wanted: Set<Plane> = [
      Plane(.keys, layer: 0), Plane(.values, layer: 0), Plane(.keys, layer: 15), Plane(.values, layer: 15),
    ]
    for order in [[planes(.keys), planes(.values)], [planes(.values), planes(.keys)], pairs] {
      let layout = try layout(order)
      #expect(Set(SampleRows.planes(of: layout).map { layout.planes[$0].plane }) == wanted)
    }
    // Keys alone, and a single layer.
    #expect(SampleRows.planes(of: try layout([planes(.keys)])) == [0, 15])
    #expect(SampleRows.planes(of: try layout([[Plane(.keys, layer: 7), Plane(.values, layer: 7)]])) == [0, 1])
  }

  @Test func `made-up planes take 16 MiB at most, and two rows at least`() {
    for (rowByteCount, tokenCount) in [(2, 1024), (2048, 1024), (16_384, 1024), (32_768, 512), (1 << 24, 2)] {
      #expect(SampleRows.madeUpTokenCount(rowByteCount: rowByteCount) == tokenCount)
    }
    let rows = SampleRows(StudyLayout())
    #expect(rows.tokenCount == 1024 && rows.planes.count == 4)
  }

  @Test func `attention over rows of gigabytes is refused, not tried`() throws {
    let layout = try StudyLayout(
      layerCount: 1, keyValueHeadCount: 4096, headSize: 256, queryHeadCount: 4096, elementType: .f16)
    let error = #expect(throws: StoreError.self) { _ = try AttentionMeasurement.measure(layout) }
    #expect(error?.code == .invalidArgument && error?.message.contains("1 GiB") == true)
  }

  @Test func `rows of a plane that are longer than a store's are refused before anything is measured`() throws {
    let layout = try StudyLayout(
      layerCount: 1, keyValueHeadCount: 4096, headSize: 4096, queryHeadCount: 4096, elementType: .f32)
    let error = #expect(throws: StoreError.self) {
      _ = try StudyMeasurements.measure(layout, rows: nil) { Issue.record("\($0) is measured") }
    }
    #expect(error?.code == .invalidArgument)
  }

  @Test func `a difference within the control's spread costs nothing, one beyond it all of itself`() {
    let figures = [1.004, 1.006].enumerated().map {
      AttentionMeasurement.Figure(blockTokenCount: 1 << $0, ratio: $1, microseconds: 1)
    }
    let measurements = StudyMeasurements(
      attention: AttentionMeasurement(
        contextTokenCount: 1, byteCount: 1, cacheByteCount: 1, contiguousMicroseconds: 1, controlRatio: 1,
        controlSpread: 0.005, figures: figures),
      lookup: LookupMeasurement(figures: []),
      codec: CodecMeasurement(source: nil, tokenCount: 1, planeCount: 1, tokenByteCount: 1, figures: []))
    #expect(measurements.attentionCost(1) == 0)
    #expect(measurements.attentionCost(2).map { abs($0 - 0.006) < 1e-9 } == true)
  }

  @Test func `memory whose bytes cannot be counted is refused`() throws {
    var options = PagingStudyOptions()
    options.layout = try StudyLayout(
      layerCount: 4096, keyValueHeadCount: 4096, headSize: 4096, queryHeadCount: 4096, elementType: .f32)
    func plan(_ tokenCount: Int) throws -> ServingPlan {
      try ServingPlan(
        ServingWorkload(
          name: "one",
          requests: [ServingRequest(arrivalMicroseconds: 0, promptTokenCount: tokenCount, outputTokenCount: 0)]),
        options)
    }
    #expect(try plan(1 << 23).capacityByteCount == 1 << 62)
    let error = #expect(throws: StoreError.self) { _ = try plan(1 << 24) }
    #expect(error?.code == .invalidArgument && error?.message.contains("more than can be counted") == true)
    options.capacityByteCount = 1 << 40
    #expect(try plan(1 << 24).capacityByteCount == 1 << 40)
  }
}
