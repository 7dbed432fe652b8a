import Foundation
import KVBlocks
import KVSimulation
import Testing

private let isLong = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == "1"
/// Seeds in a run; each case of the test below takes its share of them.
private let seedCount = isLong ? 5_000 : 240

private func layout(_ seed: UInt64) throws -> BlockLayout {
  let kinds: [Plane.Kind] = [.keys, .values]
  let types: [(ElementType, Int)] = [(.bf16, 32), (.f16, 64), (.q8_0, 34), (.f32, 48), (.raw, 7)]
  let (elementType, rowByteCount) = types[Int(seed) % types.count]
  return try BlockLayout(
    blockTokenCount: [4, 8, 5][Int(seed) % 3],
    planes: kinds.map { PlaneLayout(Plane($0, layer: 0), elementType: elementType, rowByteCount: rowByteCount) })
}

private func run(_ setup: SimulationSetup) throws -> Simulation {
  let folder = TemporaryFolder()
  let simulation = try Simulation(setup, path: folder.store)
  try withExtendedLifetime(folder) { try simulation.run() }
  return simulation
}

@Suite struct SimulationTests {
  @Test(arguments: 0..<6) func `seeded workloads agree with the reference model`(share: Int) throws {
    var completed = 0
    for index in 0..<seedCount / 6 {
      let seed = UInt64(index * 6 + share)
      var setup = SimulationSetup(seed: seed, layout: try layout(seed))
      setup.budgetBlockCount = [3, 6, 40][Int(seed) % 3]
      if seed % 4 == 1 {
        setup.quotaBytes = 1 << 20
        setup.allowedErrors.insert(.quotaFull)
      }
      if seed % 4 == 2 {
        var faults = FaultyColdTier.Faults()
        faults.commitFailureShare = 0.1
        faults.loadFailureShare = 0.02
        faults.encodeFailureShare = 0.02
        setup.wrap = { [faults] in FaultyColdTier($0, seed: seed, faults: faults) }
        setup.allowedErrors.formUnion([.diskFull, .inputOutput])
      }
      completed += try run(setup).completedStepCount
    }
    #expect(completed > seedCount / 6 * 75, "most steps do their work")
  }

  @Test(arguments: Sabotage.allCases) func `a planted bug is caught`(sabotage: Sabotage) throws {
    var caught = 0
    for seed in UInt64(0)..<12 {
      var setup = SimulationSetup(seed: seed, layout: try layout(seed))
      setup.budgetBlockCount = 4
      setup.wrap = { SabotagedColdTier($0, sabotage) }
      do {
        _ = try run(setup)
      } catch {
        caught += 1
      }
    }
    #expect(caught > 0, "\(sabotage) went unnoticed in 12 runs")
  }

  @Test func `one seed is one workload`() {
    var (first, second) = (Workload(seed: 5, blockTokenCount: 8), Workload(seed: 5, blockTokenCount: 8))
    var other = Workload(seed: 6, blockTokenCount: 8)
    let steps = (0..<200).map { _ in first.next() }
    #expect(steps == (0..<200).map { _ in second.next() })
    #expect(steps != (0..<200).map { _ in other.next() })
  }
}
