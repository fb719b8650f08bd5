// Steps through a timeline, and shows where in the listing its tasks then are.
//
// Loaded by theme/timelines.js, where a page has a timeline. All that it knows stands in the page: an item
// of the list "in words" is a step; data-x is its stretch of the picture (from, to, in percent), data-t its
// lane, data-l the lines of the program, the innermost first.
(() => {
  'use strict';

  // The text of one line of a program, counted from 1, hidden lines included.
  const rangeOf = (code, number) => {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    let line = 1;
    let range = null;
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      for (let at = 0; ;) {
        if (line === number && !range) {
          range = new Range();
          range.setStart(text, at);
        }
        const end = text.data.indexOf('\n', at);
        if (line === number) {
          range.setEnd(text, end < 0 ? text.length : end);
        }
        if (end < 0) {
          break;
        }
        if (line === number) {
          return range;
        }
        line += 1;
        at = end + 1;
      }
    }
    return range;
  };

  // The number of the line under the pointer.
  const lineAt = (code, x, y) => {
    let node;
    let offset;
    if (document.caretPositionFromPoint) {
      const caret = document.caretPositionFromPoint(x, y);
      [node, offset] = [caret?.offsetNode, caret?.offset];
    } else {
      const caret = document.caretRangeFromPoint(x, y);
      [node, offset] = [caret?.startContainer, caret?.startOffset];
    }
    if (!node || !code.contains(node)) {
      return 0;
    }
    const before = new Range();
    before.setStart(code, 0);
    before.setEnd(node, offset);
    return before.toString().split('\n').length;
  };

  // A band behind a line, in each block of the page that shows it.
  const highlight = (codes, lines) => {
    for (const band of document.querySelectorAll('.line-here')) {
      band.remove();
    }
    lines.forEach((number, index) => {
      for (const code of codes) {
        const boxes = [...(rangeOf(code, number)?.getClientRects() ?? [])].filter((box) => box.width > 0);
        if (boxes.length === 0) {
          continue;
        }
        const top = Math.min(...boxes.map((box) => box.top));
        const bottom = Math.max(...boxes.map((box) => box.bottom));
        const band = document.createElement('span');
        band.className = index === 0 ? 'line-here' : 'line-here around';
        band.style.top = `${top - code.parentElement.getBoundingClientRect().top}px`;
        band.style.height = `${bottom - top}px`;
        code.parentElement.append(band);
      }
    });
  };

  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.append(...children);
    return element;
  };

  const start = (run) => {
    const picture = run.querySelector('svg.course');
    const height = Number(picture.dataset.lane);
    const steps = [...run.querySelectorAll('.words li')].map((item) => {
      const [from, to] = item.dataset.x.split(' ').map(Number);
      const lines = item.dataset.l.split(' ').filter(Boolean).map(Number);
      return { item, from, to, lane: Number(item.dataset.t), lines };
    });
    const listing = `figure.listing[data-listing="${run.dataset.listing}"] pre > code`;
    const codes = [...document.querySelectorAll(listing)];

    const back = make('button', { type: 'button', 'aria-label': 'One step back' }, '◀');
    const on = make('button', { type: 'button', 'aria-label': 'One step on' }, '▶');
    const slider = make('input', {
      type: 'range',
      min: 0,
      max: steps.length,
      value: 0,
      'aria-label': `Step through ${run.dataset.listing}`,
      'aria-valuetext': 'before the first step',
      title: 'Left and right: one step. Up and down: the same task.',
    });
    const text = make('p', { role: 'status' }, 'Point at the picture, or step through it.');
    run.querySelector('.stepper').append(make('div', {}, back, slider, on), text);

    const mark = (name, shown) => {
      picture.querySelectorAll(`.${name}`).forEach((old) => old.remove());
      for (const step of shown) {
        const box = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
        box.setAttribute('class', name);
        box.setAttribute('x', `${step.from}%`);
        box.setAttribute('width', `${Math.max(step.to - step.from, 1)}%`);
        box.setAttribute('y', step.lane * height + 15);
        box.setAttribute('height', height - 15);
        picture.prepend(box);
      }
    };

    // The step that is shown: 0 is none.
    let now = 0;
    const show = (index) => {
      now = Math.max(0, Math.min(steps.length, index));
      const step = steps[now - 1];
      slider.value = now;
      slider.setAttribute('aria-valuetext', step ? `step ${now} of ${steps.length}` : 'before the first step');
      steps.forEach((other) => other.item.classList.toggle('here', other === step));
      mark('here', step ? [step] : []);
      highlight(codes, step?.lines ?? []);
      text.replaceChildren();
      if (step) {
        text.append(...step.item.cloneNode(true).childNodes);
        const line = codes.length > 0 && step.lines.length > 0 && rangeOf(codes[0], step.lines[0]);
        if (line) {
          text.append(' ', make('code', {}, line.toString().trim()));
        }
      }
    };

    back.addEventListener('click', () => show(now - 1));
    on.addEventListener('click', () => show(now + 1));
    slider.addEventListener('input', () => show(Number(slider.value)));
    slider.addEventListener('keydown', (event) => {
      const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!way) {
        return;
      }
      event.preventDefault();
      const lane = steps[Math.max(now, 1) - 1].lane;
      for (let index = now - 1 + way; steps[index]; index += way) {
        if (steps[index].lane === lane) {
          show(index + 1);
          return;
        }
      }
    });

    const point = (event) => {
      const box = picture.getBoundingClientRect();
      const lane = Math.floor((event.clientY - box.top) / height);
      const x = ((event.clientX - box.left) / box.width) * 100;
      const before = steps.filter((step) => step.lane === lane && step.from <= x + 0.5);
      const step = before.at(-1);
      if (step && x <= step.to + 0.5 && steps[now - 1] !== step) {
        show(steps.indexOf(step) + 1);
      }
    };
    picture.addEventListener('pointermove', point);
    picture.addEventListener('pointerdown', point);

    for (const code of codes) {
      code.addEventListener('pointermove', (event) => {
        const line = lineAt(code, event.clientX, event.clientY);
        mark('there', steps.filter((step) => step.lines.includes(line)));
      });
      code.addEventListener('pointerleave', () => mark('there', []));
    }
  };

  document.querySelectorAll('figure.timeline .run-of').forEach(start);
})();
