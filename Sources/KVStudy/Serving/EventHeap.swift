/// What happens to requests next, the earliest first: a binary heap.
struct EventHeap {
  enum Kind: Int {
    /// All rows are there and were used: the request goes. First, for others take its memory in the same step.
    case leave = 0
    /// The prompt is computed: from now on the request gains a row a step.
    case start = 1
    /// The next row needs a block more.
    case grow = 2
  }

  struct Event {
    var step: Int
    /// Within a step: by kind, then by the order of admission.
    var order: Int
    var request: Int32
    /// Which of the request's stays it belongs to: one that was preempted meanwhile does not happen.
    var stay: Int32

    init(step: Int, kind: Kind, admission: Int, request: Int, stay: Int32) {
      self.step = step
      order = kind.rawValue << 48 | admission
      self.request = Int32(request)
      self.stay = stay
    }

    var kind: Kind { Kind(rawValue: order >> 48) ?? .leave }

    static func < (a: Event, b: Event) -> Bool { (a.step, a.order) < (b.step, b.order) }
  }

  private var events: [Event] = []

  var first: Event? { events.first }

  mutating func insert(_ event: Event) {
    events.append(event)
    var index = events.count - 1
    while index > 0, event < events[(index - 1) / 2] {
      events[index] = events[(index - 1) / 2]
      index = (index - 1) / 2
    }
    events[index] = event
  }

  /// - Precondition: there is one.
  mutating func removeFirst() -> Event {
    let first = events[0]
    let last = events.removeLast()
    guard !events.isEmpty else { return first }
    var index = 0
    while 2 * index + 1 < events.count {
      var child = 2 * index + 1
      if child + 1 < events.count, events[child + 1] < events[child] { child += 1 }
      guard events[child] < last else { break }
      events[index] = events[child]
      index = child
    }
    events[index] = last
    return first
  }
}
