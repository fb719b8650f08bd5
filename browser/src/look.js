// Checks the page that is open, which has axe-core. WebDriver calls this with a callback.
const [done] = arguments;

// WCAG 2.0 to 2.2, A and AA, and axe-core's best practices.
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];

// The element and its ancestors, across shadow roots.
function* upwards(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    yield at;
  }
}

const isContent = element => [...upwards(element)].some(at => at.localName === 'main');

const openingTag = element =>
  element.outerHTML.match(/^<(?:"[^"]*"|'[^']*'|[^'">])*>/)?.[0] ?? `<${element.localName}>`;

// Texts that can be in the source as they are here, the most specific first.
function clues(element) {
  const ordered = ['src', 'href', 'alt', 'title', 'style', 'id'];
  const attributes = ordered.map(name => element.getAttribute(name) ?? '');
  // mdBook makes .html of .md.
  const pages = attributes.slice(0, 2).map(value => value.replace(/\.html(?=#|$)/, '.md'));
  const text = element.textContent.split('\n').map(line => line.trim());
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    text.push(...walker.currentNode.data.split('\n').map(line => line.trim()));
  }
  text.sort((a, b) => b.length - a.length);
  const found = [openingTag(element), ...attributes, ...pages, ...text.slice(0, 20)];
  return [...new Set(found)].filter(clue => clue.length > 3);
}

const describe = element => ({
  tag: openingTag(element),
  isContent: isContent(element),
  clues: clues(element),
});

async function violations() {
  const found = await axe.run(document, {
    runOnly: { type: 'tag', values: TAGS },
    resultTypes: ['violations'],
    elementRef: true,
    iframes: false,
    // Not the style sheets, which it would request again.
    preload: { assets: ['media'] },
  });
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ element, none, all, any }) => ({
      rule: id,
      help,
      detail: [...none, ...all, ...any][0]?.message ?? '',
      element: describe(element),
    })),
  );
}

// Pictures without a description in the Markdown, `![](picture.png)`: axe-core takes them for decoration.
const withoutAlt = () =>
  [...document.querySelectorAll('main img[alt=""]:not([role=presentation], [role=none])')].map(describe);

// Whether the page is wider than its screen. (Boxes in the content may scroll; the elements around it may not.)
function overflow() {
  const frames = [document.documentElement, ...upwards(document.querySelector('main'))];
  const frame = frames.find(at => at.scrollWidth > at.clientWidth + 1 && getComputedStyle(at).display !== 'inline');
  if (!frame) {
    return null;
  }
  const edge = frame.getBoundingClientRect().left + frame.clientLeft + frame.clientWidth + 1;
  const scrolls = at => !frames.includes(at) && at !== document.body && getComputedStyle(at).overflowX !== 'visible';
  const isCut = element => [...upwards(element.parentElement)].some(scrolls);
  const sticksOut = element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const right = Math.max(element.getBoundingClientRect().right, range.getBoundingClientRect().right);
    return right > edge && !isCut(element);
  };
  const wide = [...frame.querySelectorAll('*')].filter(sticksOut);
  const innermost = wide.filter(element => !wide.some(other => other !== element && element.contains(other)));
  return { width: frame.scrollWidth, room: frame.clientWidth, elements: innermost.slice(0, 3).map(describe) };
}

// What moved after the page was read, without any input. While the HTML is still arriving, the columns of a table move with
// each of its rows, on a busy machine even if the server is near.
const shifts = () =>
  new Promise(resolve => {
    const all = [];
    const observer = new PerformanceObserver(list => all.push(...list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    // Earlier entries arrive in a later task.
    setTimeout(() => {
      const { domInteractive } = performance.getEntriesByType('navigation')[0];
      const entries = all.filter(entry => !entry.hadRecentInput && entry.startTime > domInteractive);
      const moved = entries.flatMap(entry => entry.sources.map(source => source.node));
      const elements = moved.map(node => (node?.nodeType === Node.TEXT_NODE ? node.parentElement : node)).filter(Boolean);
      resolve({
        shift: entries.reduce((sum, entry) => sum + entry.value, 0),
        shifted: [...new Set(elements)].slice(0, 3).map(describe),
      });
    }, 50);
  });

// Waits for the page's scripts, which run after the first paint, but not forever: a script can be broken.
const settled = () =>
  new Promise(resolve => {
    const wait = turns => {
      if (turns === 0 || 'ready' in document.documentElement.dataset) {
        resolve();
      } else {
        setTimeout(wait, 10, turns - 1);
      }
    };
    wait(200);
  });

async function look() {
  await settled();
  const moved = await shifts();
  // Lazy pictures, too. A missing one is reported by its request.
  const pictures = [...document.images];
  pictures.filter(picture => picture.loading === 'lazy').forEach(picture => { picture.loading = 'eager'; });
  await Promise.allSettled(pictures.map(picture => picture.decode()));
  await document.fonts.ready;
  return { ...moved, violations: await violations(), withoutAlt: withoutAlt(), overflow: overflow() };
}

look().then(done, error => done({ failed: String(error?.stack ?? error) }));
