import KVBlocks

/// One step of a simulated run.
package enum Step: Hashable, Sendable {
  case create(name: String, prefix: [Token])
  case append(name: String, tokens: [Token])
  case commit(name: String)
  case fork(name: String, newName: String, tokenCount: Int?)
  case truncate(name: String, fraction: Int)
  case rename(name: String, newName: String)
  case delete(name: String)
  case discard(name: String)
  case resume(name: String)
  case lookUp(tokens: [Token])
  case read(name: String)
  case lease(name: String)
  case prefetch(name: String)
  case writeBack
  case collectGarbage
  case reopen
}

/// Draws steps from a seed. Tokens come from a small alphabet and a few system prompts, so that prefixes are shared,
/// blocks diverge inside, and names collide.
package struct Workload {
  package private(set) var random: SplitMix64
  private let prompts: [[Token]]
  private let names = (0..<8).map { "s\($0)" }

  package init(seed: UInt64, blockTokenCount: Int) {
    var random = SplitMix64(seed: seed)
    prompts = (0..<3).map { prompt in
      let count = blockTokenCount * Int.random(in: 1...4, using: &random) + prompt
      return (0..<count).map { _ in Token.random(in: 0..<50, using: &random) }
    }
    self.random = random
  }

  package mutating func tokens(upTo count: Int) -> [Token] {
    (0..<Int.random(in: 1...count, using: &random)).map { _ in Token.random(in: 0..<4, using: &random) }
  }

  private mutating func name() -> String { names.randomElement(using: &random) ?? "s0" }

  private mutating func prompt() -> [Token] {
    let prompt = prompts.randomElement(using: &random) ?? []
    return random.chance(0.3) ? Array(prompt.prefix(Int.random(in: 0...prompt.count, using: &random))) : prompt
  }

  package mutating func next() -> Step {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<14: .create(name: name(), prefix: prompt())
    case 14..<40: .append(name: name(), tokens: tokens(upTo: 20))
    case 40..<55: .commit(name: name())
    case 55..<60: .fork(name: name(), newName: name(), tokenCount: random.chance(0.5) ? nil : Int(random.next() % 40))
    case 60..<63: .truncate(name: name(), fraction: Int(random.next() % 101))
    case 63..<65: .rename(name: name(), newName: name())
    case 65..<68: .delete(name: name())
    case 68..<71: .discard(name: name())
    case 71..<75: .resume(name: name())
    case 75..<85: .lookUp(tokens: prompt() + tokens(upTo: 12))
    case 85..<90: .read(name: name())
    case 90..<93: .lease(name: name())
    case 93..<95: .prefetch(name: name())
    case 95..<97: .writeBack
    case 97..<98: .collectGarbage
    default: .reopen
    }
  }
}
