// Invariants:
// - `elements` is a binary heap: no element is larger than its parent.

/// A queue that gives out its largest element first.
struct LargestFirst<Element> {
  private var elements: [Element] = []
  private let isLarger: (Element, Element) -> Bool

  /// - Parameter isLarger: whether the first is to come out before the second.
  init(_ isLarger: @escaping (Element, Element) -> Bool) { self.isLarger = isLarger }

  var count: Int { elements.count }
  /// What comes out next.
  var largest: Element? { elements.first }

  mutating func insert(_ element: Element) {
    elements.append(element)
    var place = elements.count - 1
    while place > 0, case let parent = (place - 1) / 2, isLarger(elements[place], elements[parent]) {
      elements.swapAt(place, parent)
      place = parent
    }
  }

  mutating func popLargest() -> Element? {
    guard !elements.isEmpty else { return nil }
    elements.swapAt(0, elements.count - 1)
    let largest = elements.removeLast()
    var place = 0
    while true {
      var next = place
      for child in [2 * place + 1, 2 * place + 2] where child < elements.count {
        if isLarger(elements[child], elements[next]) { next = child }
      }
      if next == place { return largest }
      elements.swapAt(place, next)
      place = next
    }
  }
}
